"""Converse2D: the regularised inverse of a strided depthwise circular convolution, in closed form."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .blockwise import fits_block, solve_blockwise
from .compiling import sizes
from .filter_bank import FILTER_PRIORS, apply_filter_bank, build_filter_bank
from .prior import PRIORS, Prior, check_prior, prior_image
from .spectra import adjoint_bank
from .transforms import Torus

__all__ = ["PRIORS", "converse2d"]


def converse2d(y: Tensor, psf: Tensor, lam: Tensor | float, scale: int = 1, x0: Prior = "nearest") -> Tensor:
    """Invert a depthwise blur and decimation.

    Per sample and channel, the exact minimiser of ``|| y - A x ||^2 + lam || x - x0 ||^2``, where A blurs x
    circularly with the psf (centre at tap (kh//2, kw//2)) and keeps the top-left sample of each s x s block:

        x = x0 + A' (A A' + lam)^-1 (y - A x0)

    A A' is a circular filter, so its inverse is a division of spectra. lam stands in sums only: nothing
    cancels, and float32 is accurate to about 2e-7 (:func:`converse2d_reference` is not).

    Args:
        y: (N, C, h, w), float64, float32, or half precision (then computed in float32, also under autocast).
        psf: (N or 1, C or 1, kh, kw).
        lam: (N or 1, C or 1, 1, 1) or a number, > 0.
        scale: s >= 1.
        x0: the prior: (N, C, s*h, s*w), or its name: 'nearest' (y upsampled; the paper's), 'zero',
            'bilinear', 'bicubic'.

    Returns:
        x: (N, C, s*h, s*w), y's dtype.

    Raises:
        ValueError: a shape, the scale or the prior does not fit, by name.

    Source: Huang et al., ICCV 2025 (arXiv 2508.09824), rearranged (docs/operator.md).
    """
    _check(y, psf, lam, scale, x0)
    dtype = _compute_dtype(y, psf, lam, x0)
    with torch.autocast(y.device.type, enabled=False):
        lam = lam.to(dtype) if isinstance(lam, Tensor) else lam
        x0 = x0.to(dtype) if isinstance(x0, Tensor) else x0
        return _solve(y.to(dtype), psf.to(dtype), lam, scale, x0).to(y.dtype)


def _solve(y: Tensor, psf: Tensor, lam: Tensor | float, scale: int, x0: Prior) -> Tensor:
    if fits_block(psf, scale):
        return solve_blockwise(y, psf, lam, scale, x0)
    torus = Torus(sizes(y)[-2:], packed=can_pack(y, psf, lam))
    if isinstance(x0, str) and (x0 in FILTER_PRIORS or scale == 1):
        filters = build_filter_bank(psf, lam, torus, scale, "zero" if x0 == "zero" else "nearest")
        return apply_filter_bank(y, filters, torus, scale)
    bank = adjoint_bank(psf, torus.size, scale, torus.columns)  # (N or 1, C or 1, s*s, h, columns)
    gain = (bank.real.square() + bank.imag.square()).sum(-3, keepdim=True)  # spectrum of A A'
    lam = lam.unsqueeze(-3) if isinstance(lam, Tensor) else lam
    inverse = torus.stand_for_whole(torch.complex(1 / (gain + lam), torch.zeros_like(gain)))
    bank = torus.stand_for_whole(bank)
    x0_f = torus.analyse(_polyphase(prior_image(y, scale, x0), scale))
    residual_f = torus.analyse(y).unsqueeze(-3) - (bank.conj() * x0_f).sum(-3, keepdim=True)
    x = torus.synthesise(x0_f + bank * (residual_f * inverse)) / torus.cells
    return F.pixel_shuffle(x.flatten(1, 2), scale)


def can_pack(y: Tensor, psf: Tensor, lam: Tensor | float) -> bool:
    """Whether pairs of samples can share a transform: an even batch, and the same filter for all of it."""
    return sizes(y)[0] % 2 == 0 and psf.shape[0] == 1 and not (isinstance(lam, Tensor) and lam.shape[0] != 1)


def _polyphase(x: Tensor, scale: int) -> Tensor:
    """(N, C, s*h, s*w) -> (N, C, s*s, h, w)."""
    return F.pixel_unshuffle(x, scale).unflatten(1, (-1, scale * scale))


def _compute_dtype(y: Tensor, *others: Tensor | float | str) -> torch.dtype:
    dtype = torch.promote_types(y.dtype, torch.float32)
    for other in others:
        if isinstance(other, Tensor):
            dtype = torch.promote_types(dtype, other.dtype)
    return dtype


def _check(y: Tensor, psf: Tensor, lam: Tensor | float, scale: int, x0: Prior) -> None:
    if y.dim() != 4 or not y.is_floating_point():
        raise ValueError(f"y must be a floating-point (N, C, h, w) tensor, got {y.dtype} {tuple(y.shape)}")
    if not isinstance(scale, int) or scale < 1:
        raise ValueError(f"scale must be an integer >= 1, got {scale!r}")
    n, c, h, w = y.shape
    if psf.dim() != 4 or psf.shape[0] not in (1, n) or psf.shape[1] not in (1, c):
        raise ValueError(f"psf must be (1 or {n}, 1 or {c}, kh, kw) for y {tuple(y.shape)}, got {tuple(psf.shape)}")
    if isinstance(lam, Tensor) and (
        lam.dim() != 4 or lam.shape[0] not in (1, n) or lam.shape[1] not in (1, c) or lam.shape[2:] != (1, 1)
    ):
        raise ValueError(f"lam must be a number or (1 or {n}, 1 or {c}, 1, 1), got {tuple(lam.shape)}")
    check_prior(x0)
    if isinstance(x0, Tensor) and x0.shape != (n, c, h * scale, w * scale):
        raise ValueError(f"x0 must be {(n, c, h * scale, w * scale)}, got {tuple(x0.shape)}")
