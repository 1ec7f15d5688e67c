"""With a prior made from y itself, the whole solution is one bank of fixed filters: built here, and applied."""

import torch
import torch.nn.functional as F
from torch import Tensor

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
    bank = adjoint_bank(psf, torus.size, scale, torus.columns)
    lam = lam.unsqueeze(-3) if isinstance(lam, Tensor) else bank.real.new_tensor(lam)
    real, imag = bank.real, bank.imag
    gain = (real.square() + imag.square()).sum(-3, keepdim=True) + lam
    norm = 1 / (gain * (torus.size[0] * torus.size[1]))
    if prior == "zero":
        filters = torch.complex(real * norm, imag * norm)
    elif scale == 1:
        filters = torch.complex((real + lam) * norm, imag * norm)
    else:
        residual = (1 - bank.sum(-3, keepdim=True).conj()) * norm
        filters = bank * residual + 1 / (torus.size[0] * torus.size[1])
    return torus.stand_for_whole(filters)


def apply_filter_bank(
    y: Tensor, filters: Tensor, torus: Torus, scale: int, padding: int = 0, mode: str = "constant"
) -> Tensor:
    """Filter y (N, C, h, w), padded to the torus, and crop: (N, C, s*h, s*w)."""
    y_f = torus.analyse(y, padding, mode)
    if scale == 1:
        return torus.synthesise(y_f * filters.squeeze(-3), padding)
    x = F.pixel_shuffle(torus.synthesise(y_f.unsqueeze(-3) * filters).flatten(1, 2), scale)
    margin = padding * scale
    return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]
