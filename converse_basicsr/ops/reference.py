"""The closed form as the papers print it: slow, and the reference that every other path is tested against."""

import torch
from torch import Tensor

from .prior import Prior, prior_image


def converse2d_reference(y: Tensor, psf: Tensor, lam: Tensor | float, scale: int = 1, x0: Prior = "nearest") -> Tensor:
    """Solve what :func:`converse_basicsr.converse2d` solves without padding, by the literal closed form.

    Divides a difference of nearly equal numbers by lam: use float64 (in float32 the relative error is
    1e-5 to 1e-3). Same arguments, same result.

    Source: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025;
    after Zhao et al., "Fast Single Image Super-Resolution Using a New Analytical Solution for l2-l2
    Problems", IEEE TIP 2016.
    """
    height, width = y.shape[-2] * scale, y.shape[-1] * scale
    otf = psf2otf(psf, (height, width))
    x0 = prior_image(y, scale, x0)
    rhs = otf.conj() * torch.fft.fft2(zero_insert(y, scale)) + lam * torch.fft.fft2(x0)
    quotient = fold(otf * rhs, scale) / (fold(otf.abs().square(), scale) + lam)
    x_f = (rhs - otf.conj() * tile_spectrum(quotient, scale)) / lam
    return torch.fft.ifft2(x_f).real


def psf2otf(psf: Tensor, size: tuple[int, int]) -> Tensor:
    """Centred DFT of a psf; taps outside the torus are wrapped onto it.

    Args:
        psf: (..., kh, kw), real, centre at tap (kh//2, kw//2).
        size: (H, W) of the torus.

    Returns:
        (..., H, W), complex, the full spectrum.
    """
    grid = psf
    for dim, extent in ((-2, size[0]), (-1, size[1])):
        taps = grid.shape[dim]
        index = (torch.arange(taps, device=psf.device) - taps // 2) % extent
        shape = list(grid.shape)
        shape[dim] = extent
        grid = grid.new_zeros(shape).index_add(dim, index, grid)
    return torch.fft.fft2(grid)


def zero_insert(y: Tensor, scale: int) -> Tensor:
    """(..., h, w) -> (..., s*h, s*w): every sample at the top left of an s x s block of zeros."""
    h, w = y.shape[-2:]
    out = y.new_zeros(*y.shape[:-2], h, scale, w, scale)
    out[..., 0, :, 0] = y
    return out.reshape(*y.shape[:-2], h * scale, w * scale)


def fold(spectrum: Tensor, scale: int) -> Tensor:
    """(..., s*h, s*w) -> (..., h, w): mean over the s x s aliases of every coarse frequency."""
    height, width = spectrum.shape[-2:]
    blocks = spectrum.reshape(*spectrum.shape[:-2], scale, height // scale, scale, width // scale)
    return blocks.mean(dim=(-4, -2))


def tile_spectrum(spectrum: Tensor, scale: int) -> Tensor:
    """(..., h, w) -> (..., s*h, s*w): the coarse spectrum repeated s x s times."""
    return spectrum.repeat(*[1] * (spectrum.dim() - 2), scale, scale)
