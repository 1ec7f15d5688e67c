"""The operator itself as a network without weights."""

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UserError
from ..ops import converse2d

LAM = 0.02
_MARGIN = 4  # kernels, around a picture whose borders are replicated; ringing from its outer edge decays there
BORDERS = ("replicate", "circular")


def lam_for(sigma: float | None) -> float:
    """The weight of the prior for noise of this standard deviation on the 0-255 scale; None: LAM."""
    if sigma is None:
        return LAM
    if not 0 < sigma <= 255:
        raise UserError(f"sigma: must be above 0 and at most 255, got {sigma}")
    return LAM * sigma  # about the best one on Set5, for sigma from 0.5 to 10 (docs/restore.md)


class Deconvolution(nn.Module):
    """Converse2D with a given blur kernel: the closed form as a deconvolution of images.

    Args:
        kernel: (kh, kw) with sum 1.
        lam: the weight of the prior, > 0.
        scale: s >= 1.
        borders: 'replicate' or 'circular'.

    Shape: (N, C, h, w) -> (N, C, s*h, s*w).

    Raises:
        UserError: an argument is not valid.
    """

    in_channels = None  # any number

    def __init__(self, kernel: np.ndarray, lam: float = LAM, scale: int = 1, borders: str = "replicate"):
        super().__init__()
        if not 0 < lam < float("inf"):
            raise UserError(f"lam: must be above 0, got {lam}")
        if not isinstance(scale, int) or not 1 <= scale <= 8:
            raise UserError(f"scale: must be an integer from 1 to 8, got {scale!r}")
        if borders not in BORDERS:
            raise UserError(f"borders: must be {' or '.join(BORDERS)}, got {borders!r}")
        self.lam = lam
        self.scale = scale
        self.borders = borders
        self.register_buffer("psf", torch.from_numpy(np.asarray(kernel, np.float32))[None, None])

    def forward(self, y: Tensor) -> Tensor:
        prior = "nearest" if self.scale == 1 else "bicubic"
        padding = 0 if self.borders == "circular" else _MARGIN * max(self.psf.shape[-2:])
        return converse2d(y, self.psf.to(y), self.lam, self.scale, prior, padding, self.borders)
