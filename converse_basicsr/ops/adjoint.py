"""Spectra of the adjoint A' of blur and decimation, as a bank of filters on the coarse grid."""

import math
from functools import lru_cache

import torch
from torch import Tensor


def adjoint_bank(psf: Tensor, size: tuple[int, int], scale: int, columns: int, plain: bool = False) -> Tensor:
    """Spectra of the s*s coarse filters that make up A', the transpose of A = decimate(blur(.)).

    On the polyphase components of the fine grid, A' is a bank of s*s circular filters on the *coarse*
    torus: ``A' z = pixel_shuffle(irfft2(bank * rfft2(z)))``, ``A x = irfft2(sum(conj(bank) * rfft2(
    pixel_unshuffle(x))))`` and so ``A A'`` has the spectrum ``sum(|bank|^2)``. Real FFTs suffice, and
    neither aliases nor the Nyquist column need any care. With scale 1 the bank is conj(otf).

    The transpose correlates with the psf, so the tap at offset q from the centre lands at -q on the fine
    grid: in component i = -q mod s, at coarse position u = floor(-q / s). For s = 2, the tap right of the
    centre (q = 1) lands in component 1 of the coarse sample to the left (u = -1). A psf has few taps, hence
    two thin matrix products are the cheapest DFT.

    Args:
        psf: (..., kh, kw), float32 or float64, centre at tap (kh//2, kw//2).
        size: (h, w) of the coarse torus.
        scale: s >= 1.
        columns: how many of the spectrum's w columns, from the first: w, or w//2 + 1 for real FFTs.
        plain: see thin_dft.

    Returns:
        (..., s*s, h, columns), complex; component i*s + j is the fine grid's [i::s, j::s].
    """
    h, w = size
    rows = thin_dft(psf.shape[-2], h, h, scale, psf, plain)
    cols = thin_dft(psf.shape[-1], w, columns, scale, psf, plain)
    spectra = rows @ (psf.to(rows.dtype) @ cols.mT)
    spectra = spectra.unflatten(-1, (scale, -1)).unflatten(-3, (scale, -1))  # (..., s, h, s, columns)
    return spectra.transpose(-3, -2).flatten(-4, -3)


def squared_modulus(bank: Tensor) -> Tensor:
    """|B|^2, real."""
    return bank.real.square() + bank.imag.square()


def thin_dft(taps: int, extent: int, frequencies: int, scale: int, like: Tensor, plain: bool) -> Tensor:
    """The DFT of a few taps along one axis, as a matrix (s*frequencies, taps).

    Args:
        taps: of the psf; they are flipped, the centre goes to the origin.
        extent: of the coarse torus.
        frequencies: how many, from 0.
        scale: s; the rows of component i (of s) are zero at taps that belong to another component.
        like: gives precision and device.
        plain: build the matrix each time; otherwise it is cached.
    """
    dtype = torch.promote_types(like.dtype, torch.complex64)
    build = _thin_dft if plain else _cached_thin_dft
    return build(taps, extent, frequencies, scale, dtype, like.device)


def _thin_dft(taps: int, extent: int, frequencies: int, scale: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    cpu = torch.device("cpu")  # whatever the default device is
    coarse, component = (torch.tensor(each, device=cpu) for each in tap_positions(taps, scale))
    turns = (torch.arange(frequencies, device=cpu)[:, None] * coarse) % extent  # integers: exact for large angles
    angle = turns.to(torch.float64) * (-2 * math.pi / extent)
    member = (component == torch.arange(scale, device=cpu)[:, None, None]).to(torch.float64)
    matrix = torch.polar(member.expand(-1, frequencies, -1), angle.expand(scale, -1, -1))
    return matrix.flatten(0, 1).to(device, dtype)


def tap_positions(taps: int, scale: int) -> tuple[list[int], list[int]]:
    """Where each tap lands: its sample on the coarse grid, and its component (of s)."""
    positions = [taps // 2 - tap for tap in range(taps)]  # -q
    return [position // scale for position in positions], [position % scale for position in positions]


@lru_cache(maxsize=64)
def _cached_thin_dft(*arguments) -> Tensor:
    with torch.inference_mode(False):  # autograd may need it later
        return _thin_dft(*arguments)
