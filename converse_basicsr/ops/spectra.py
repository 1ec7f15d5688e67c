"""Spectra of psfs, and the maps between a fine grid and its decimated one.

The fine grid is a torus of ``s*h x s*w`` samples, the coarse one of ``h x w``. A psf's centre is tap
``(kh//2, kw//2)``; its DFT with the centre moved to the origin is the otf.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from .compiling import is_compiling


def psf2otf(psf: Tensor, size: tuple[int, int]) -> Tensor:
    """Centred DFT of a psf, taps outside the torus wrapped onto it.

    Args:
        psf: (..., kh, kw), real.
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


def adjoint_bank(psf: Tensor, size: tuple[int, int], scale: int, columns: int) -> Tensor:
    """Spectra of the s*s coarse filters that make up A', the transpose of A = decimate(blur(.)).

    On the polyphase components of the fine grid, A' is a bank of s*s circular filters on the *coarse*
    torus: ``A' z = pixel_shuffle(irfft2(bank * rfft2(z)))``, ``A x = irfft2(sum(conj(bank) * rfft2(
    pixel_unshuffle(x))))`` and so ``A A'`` has the spectrum ``sum(|bank|^2)``. Real FFTs suffice, and
    neither aliases nor the Nyquist column need any care. With scale 1 the bank is conj(otf).

    The transpose correlates with the psf, so the tap at offset q from the centre lands at -q on the fine
    grid: in component i = -q mod s, at coarse position u = floor(-q / s). A psf has few taps, hence two
    thin matrix products are the cheapest DFT.

    Args:
        psf: (..., kh, kw), float32 or float64.
        size: (h, w) of the coarse torus.
        scale: s >= 1.
        columns: how many of the spectrum's w columns, from the first: w, or w//2 + 1 for real FFTs.

    Returns:
        (..., s*s, h, columns), complex; component i*s + j is the fine grid's [i::s, j::s].
    """
    h, w = size
    rows = thin_dft(psf.shape[-2], h, h, scale, psf)
    cols = thin_dft(psf.shape[-1], w, columns, scale, psf)
    spectra = rows @ (psf.to(rows.dtype) @ cols.mT)
    spectra = spectra.unflatten(-1, (scale, -1)).unflatten(-3, (scale, -1))  # (..., s, h, s, columns)
    return spectra.transpose(-3, -2).flatten(-4, -3)


def thin_dft(taps: int, extent: int, frequencies: int, scale: int, like: Tensor) -> Tensor:
    """The DFT of a few taps along one axis, as a matrix (s*frequencies, taps).

    Args:
        taps: of the psf; they are flipped, the centre goes to the origin.
        extent: of the coarse torus.
        frequencies: how many, from 0.
        scale: s; the rows of component i (of s) are zero at taps that belong to another.
        like: gives the precision and the device.
    """
    dtype = torch.promote_types(like.dtype, torch.complex64)
    build = _thin_dft if is_compiling() else _kept_thin_dft
    return build(taps, extent, frequencies, scale, dtype, like.device)


def _thin_dft(taps: int, extent: int, frequencies: int, scale: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    position = taps // 2 - torch.arange(taps)  # -q
    coarse = torch.div(position, scale, rounding_mode="floor")
    component = position - coarse * scale
    turns = (torch.arange(frequencies)[:, None] * coarse) % extent  # as integers: no error from large angles
    angle = turns.to(torch.float64) * (-2 * math.pi / extent)
    member = (component == torch.arange(scale)[:, None, None]).to(torch.float64)
    matrix = torch.polar(member.expand(-1, frequencies, -1), angle.expand(scale, -1, -1))
    return matrix.flatten(0, 1).to(device, dtype)


@lru_cache(maxsize=64)
def _kept_thin_dft(*arguments) -> Tensor:
    with torch.inference_mode(False):  # autograd may meet it later
        return _thin_dft(*arguments)
