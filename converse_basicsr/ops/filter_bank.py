"""With a prior made from y itself, the whole solution is one bank of fixed filters: built here, and applied."""

import torch.nn.functional as F
from torch import Tensor

from .borders import NO_MARGINS, Margins
from .filtering import filter_signal
from .inverse_filter import inverse_filter
from .spectra import adjoint_bank
from .transforms import Torus

FILTER_PRIORS = ("nearest", "zero")


def build_filter_bank(psf: Tensor, lam: Tensor | float, torus: Torus, scale: int, prior: str) -> Tensor:
    """Spectra of the s*s filters that take y to the polyphase components of the solution, over H*W.

        nearest  G = 1 + B (1 - conj(sum B)) / (sum |B|^2 + lam)       scale 1: G = (B + lam) / (|B|^2 + lam)
        zero     G = B / (sum |B|^2 + lam)

    with B the adjoint bank of the psf. It depends on neither data nor batch.

    Args:
        psf: (N or 1, C or 1, kh, kw).
        lam: (N or 1, C or 1, 1, 1) or a number.
        torus: the coarse grid.
        scale: s.
        prior: 'nearest' or 'zero'.

    Returns:
        (N or 1, C or 1, s*s, H, columns), complex.
    """
    lam = lam if isinstance(lam, Tensor) else psf.new_full((1, 1, 1, 1), lam)
    if scale == 1:
        return torus.stand_for_whole(inverse_filter(psf, lam, torus, prior).unsqueeze(-3))
    bank = adjoint_bank(psf, torus.size, scale, torus.columns)
    gain = (bank.real.square() + bank.imag.square()).sum(-3, keepdim=True) + lam.unsqueeze(-3)
    if prior == "nearest":
        filters = 1 / torus.cells + bank * ((1 - bank.sum(-3, keepdim=True).conj()) / (gain * torus.cells))
    else:
        filters = bank / (gain * torus.cells)
    return torus.stand_for_whole(filters)


def apply_filter_bank(
    y: Tensor, filters: Tensor, torus: Torus, scale: int, margins: Margins = NO_MARGINS, mode: str = "constant"
) -> Tensor:
    """Filter y (N, C, h, w), padded to the torus, and crop: (N, C, s*h, s*w)."""
    x = filter_signal(y, filters, torus, margins, mode).flatten(1, 2)
    return x if scale == 1 else F.pixel_shuffle(x, scale)
