"""Converse2D: the regularised inverse of a strided depthwise circular convolution, in closed form."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_count
from .adjoint import squared_modulus
from .blockwise import fits_block, solve_blockwise
from .cache import FilterCache
from .dispatch import needs_plain_operations, needs_real_transforms, side_lengths, without_autocast
from .filtering import filter_signal
from .filters import FILTER_PRIORS, filter_bank
from .padding import Margins, check_padding, check_size, choose_margins, pad
from .prior import Prior, check_prior, prior_image
from .transforms import Torus


def converse2d(
    y: Tensor,
    psf: Tensor,
    lam: Tensor | float,
    scale: int = 1,
    x0: Prior = "nearest",
    padding: int = 0,
    padding_mode: str = "circular",
    fast_size: bool = False,
    cache: FilterCache | None = None,
) -> Tensor:
    """Invert a depthwise blur and decimation.

    Per sample and channel, the exact minimiser of ``|| y - A x ||^2 + lam || x - x0 ||^2``, where A blurs x
    circularly with the psf (centre at tap (kh//2, kw//2)) and keeps the top-left sample of each s x s block:

        x = x0 + A' (A A' + lam)^-1 (y - A x0)

    A A' is a circular filter, so its inverse is a division of spectra. lam occurs in sums only: nothing
    cancels, and float32 is accurate to about 2e-7 (:func:`converse2d_reference` is not).

    Args:
        y: (N, C, h, w), float64, float32, or half precision (then computed in float32, also under autocast).
        psf: (N or 1, C or 1, kh, kw).
        lam: (N or 1, C or 1, 1, 1) or a number, > 0.
        scale: s >= 1.
        x0: the prior: (N, C, s*h, s*w), or its name: 'nearest' (y upsampled; the paper's), 'zero',
            'bilinear', 'bicubic'.
        padding: samples added to y (and padding*s to x0) on all four sides before solving, and cropped after.
        padding_mode: 'circular', 'reflect', 'replicate' or 'constant' (zeros).
        fast_size: pad a few samples more at the bottom and right, up to a fast FFT size (no prime factor above 7).
            That is the exact solution on a larger torus. No effect where kh, kw <= s (no FFT), or on a side too
            short for 'circular' or 'reflect' to fill the larger margin.
        cache: reuses the filter for the next input of the same size, on a CPU, while psf and lam need no gradient.
            Without effect for priors that are not made into the filter (a tensor, or interpolation at scale > 1).

    Returns:
        x: (N, C, s*h, s*w), y's dtype.

    Raises:
        ValueError: a shape or an option does not fit, or y is too small for the padding.

    Source: Huang et al., ICCV 2025 (arXiv 2508.09824), rearranged (docs/operator.md).
    """
    _check(y, psf, lam, scale, x0)
    check_padding(padding, padding_mode)
    check_size(y, padding, padding_mode)
    dtype = _compute_dtype(y, psf, lam, x0)
    lam = lam.to(dtype) if isinstance(lam, Tensor) else torch.full((1, 1, 1, 1), lam, dtype=dtype, device=y.device)
    x0 = x0.to(dtype) if isinstance(x0, Tensor) else x0
    with without_autocast(y):
        return _solve(y.to(dtype), psf.to(dtype), lam, scale, x0, padding, padding_mode, fast_size, cache).to(y.dtype)


def _solve(y, psf, lam, scale, x0, padding, mode, fast_size, cache) -> Tensor:
    """Choose the path (docs/operator.md has a table)."""
    if y.shape[0] == 0:  # FFT libraries refuse an empty batch
        x = prior_image(y, scale, "nearest") + 0 * (psf.sum() + lam.sum())
        return x + x0 if isinstance(x0, Tensor) else x
    real = needs_real_transforms(y)
    plain = real or needs_plain_operations(*(x for x in (y, psf, lam, x0) if isinstance(x, Tensor)))
    if fits_block(psf, scale):
        return solve_blockwise(y, psf, lam, scale, x0, Margins(*[padding] * 4), mode, plain)
    size = side_lengths(y)
    if fast_size and not all(isinstance(side, int) for side in size):
        raise ValueError("fast_size needs to know the size: export with a fixed size, or set fast_size to False")
    margins = choose_margins(size, padding, mode, fast_size)
    torus = Torus(margins.around(size), not real and _can_pack(y, psf, lam), plain, real)
    if isinstance(x0, str) and (x0 in FILTER_PRIORS or scale == 1):
        prior = "zero" if x0 == "zero" else "nearest"  # at scale 1, every interpolation returns y itself

        def build(psf: Tensor, lam: Tensor) -> Tensor:
            return filter_bank(psf, lam, torus, scale, prior)

        if cache is None or plain:
            filters = build(psf, lam)
        else:
            filters = cache.get((torus, psf.dtype, scale, prior), psf, lam, lambda: build(psf, lam))
        return _join_phases(filter_signal(y, filters, torus, margins, mode, (psf, lam), build), scale)
    fine = margins.scaled(scale)
    x0 = pad(x0, fine, mode, plain) if isinstance(x0, Tensor) else x0
    y = pad(y, margins, mode, plain)
    return fine.crop(_solve_spectral(y, psf, lam, scale, prior_image(y, scale, x0), torus))


def _solve_spectral(y: Tensor, psf: Tensor, lam: Tensor, scale: int, x0: Tensor, torus: Torus) -> Tensor:
    """x0 + A' (A A' + lam)^-1 (y - A x0) in spectra, for any x0; y and x0 are padded already."""
    bank, dim = torus.adjoint_bank(psf, scale), torus.component_dim
    gain = squared_modulus(bank).sum(dim, keepdim=True)  # spectrum of A A'
    inverse = 1 / (gain + torus.per_channel(lam))
    if not torus.plain:
        inverse = torus.as_half(torch.complex(inverse, torch.zeros_like(gain)))
    bank = torus.as_half(bank)
    x0_f = torus.analyse(_split_phases(x0, scale))
    residual_f = torus.analyse(y).unsqueeze(dim) - (bank.conj() * x0_f).sum(dim, keepdim=True)
    return _join_phases(torus.synthesise(x0_f + bank * (residual_f * inverse)) / torus.cells, scale)


def _split_phases(x: Tensor, scale: int) -> Tensor:
    """(N, C, s*h, s*w) -> polyphase components (N, C, s*s, h, w)."""
    phases = F.pixel_unshuffle(x, scale)
    return phases.reshape(x.shape[0], x.shape[1], scale * scale, *phases.shape[-2:])


def _join_phases(x: Tensor, scale: int) -> Tensor:
    """Polyphase components (N, C, s*s, h, w) -> (N, C, s*h, s*w)."""
    x = x.flatten(1, 2)
    return x if scale == 1 else F.pixel_shuffle(x, scale)


def _can_pack(y: Tensor, psf: Tensor, lam: Tensor) -> bool:
    """Whether pairs of samples can share a transform: an even batch, and one filter for all samples.

    Not in a graph that is recorded for later use, which may be called with an odd batch.
    """
    if torch.jit.is_tracing() or torch.compiler.is_exporting():
        return False
    return y.shape[0] % 2 == 0 and psf.shape[0] == 1 and lam.shape[0] == 1


def _compute_dtype(y: Tensor, *others: Tensor | float | str) -> torch.dtype:
    dtype = torch.promote_types(y.dtype, torch.float32)
    for other in others:
        if isinstance(other, Tensor):
            dtype = torch.promote_types(dtype, other.dtype)
    return dtype


def _check(y: Tensor, psf: Tensor, lam: Tensor | float, scale: int, x0: Prior) -> None:
    if y.dim() != 4 or not y.is_floating_point():
        raise ValueError(f"y must be a floating-point (N, C, h, w) tensor, got {y.dtype} {tuple(y.shape)}")
    check_count("scale", scale)
    n, c, h, w = y.shape
    if psf.dim() != 4 or not _broadcasts(psf, n, c):
        raise ValueError(f"psf must be (1 or {n}, 1 or {c}, kh, kw) for y {tuple(y.shape)}, got {tuple(psf.shape)}")
    if not isinstance(lam, Tensor):
        if not lam > 0:
            raise ValueError(f"lam must be > 0, got {lam!r}")
    elif lam.dim() != 4 or not _broadcasts(lam, n, c) or lam.shape[2:] != (1, 1):
        raise ValueError(f"lam must be a number or (1 or {n}, 1 or {c}, 1, 1), got {tuple(lam.shape)}")
    check_prior(x0)
    if isinstance(x0, Tensor) and x0.shape != (n, c, h * scale, w * scale):
        raise ValueError(f"x0 must be {(n, c, h * scale, w * scale)}, got {tuple(x0.shape)}")


def _broadcasts(x: Tensor, n: int, c: int) -> bool:
    """Whether x is (N or 1, C or 1, ...). No `in (1, n)`: torch.compile evaluates that wrongly for a symbolic n."""
    return (x.shape[0] == 1 or x.shape[0] == n) and (x.shape[1] == 1 or x.shape[1] == c)
