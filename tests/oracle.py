"""The problem solved by dense float64 normal equations: no FFT, no closed form, differentiable in everything."""

import torch
from torch import Tensor


def sampling_matrices(kh: int, kw: int, h: int, w: int, scale: int) -> Tensor:
    """(kh*kw, h*w, s*h*s*w): entry 1 where the tap takes the fine sample into the coarse one."""
    height, width = h * scale, w * scale
    matrices = torch.zeros(kh, kw, h, w, height, width, dtype=torch.float64)
    for a in range(kh):
        for b in range(kw):
            for i in range(h):
                for j in range(w):
                    row = (scale * i - (a - kh // 2)) % height
                    col = (scale * j - (b - kw // 2)) % width
                    matrices[a, b, i, j, row, col] = 1
    return matrices.reshape(kh * kw, h * w, height * width)


def solve_dense(y: Tensor, psf: Tensor, lam: Tensor, scale: int, x0: Tensor) -> Tensor:
    """Minimise |y - A x|^2 + lam |x - x0|^2 per sample and channel; shapes as in converse2d, x0 a tensor."""
    n, c, h, w = y.shape
    sampling = sampling_matrices(*psf.shape[-2:], h, w, scale)
    taps = psf.expand(n, c, *psf.shape[-2:]).reshape(n * c, -1)
    blur = torch.einsum("bt,tij->bij", taps, sampling)
    weight = lam.expand(n, c, 1, 1).reshape(n * c, 1, 1)
    prior = x0.reshape(n * c, -1, 1)
    left = blur.mT @ blur + weight * torch.eye(blur.shape[-1], dtype=torch.float64)
    right = blur.mT @ y.reshape(n * c, -1, 1) + weight * prior
    return torch.linalg.solve(left, right).reshape(n, c, h * scale, w * scale)
