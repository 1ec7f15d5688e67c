"""The operator itself as a network without weights."""

from numbers import Real

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError
from ..ops.prior import prior_image
from ..ops.steps import converse2d_in_steps

LAM = 0.02
STEPS = 4
MARGIN = 4  # kernels, around a picture whose borders are replicated; ringing from its outer edge decays there
BORDERS = ("replicate", "circular")


class Deconvolution(nn.Module):
    """Converse2D with a given blur kernel: the closed form as a deconvolution of images.

    The prior of the first step is the image itself, enlarged bicubically; that of each further step is the solution so
    far, smoothed (ops/steps.py).

    Args:
        kernel: (kh, kw) with sum 1.
        lam: the weight of the prior, > 0.
        scale: s >= 1.
        borders: 'replicate' or 'circular'.
        steps: how often the operator is applied, 1 to 100.

    Shape: (N, C, h, w) -> (N, C, s*h, s*w).

    Raises:
        UserError: an argument is not valid.
    """

    in_channels = None  # any number

    def __init__(
        self, kernel: np.ndarray, lam: float = LAM, scale: int = 1, borders: str = "replicate", steps: int = STEPS
    ):
        super().__init__()
        if not isinstance(lam, Real) or not 0 < lam < float("inf"):
            raise UserError(f"lam: must be a number above 0, got {lam!r}")
        if not isinstance(scale, int) or not 1 <= scale <= 8:
            raise UserError(f"scale: must be an integer from 1 to 8, got {scale!r}")
        if borders not in BORDERS:
            raise UserError(f"borders: must be {' or '.join(BORDERS)}, got {borders!r}")
        if not isinstance(steps, int) or not 1 <= steps <= 100:
            raise UserError(f"steps: must be an integer from 1 to 100, got {steps!r}")
        self.lam = lam
        self.scale = scale
        self.borders = borders
        self.steps = steps
        self.register_buffer("psf", torch.from_numpy(np.asarray(kernel, np.float32))[None, None])

    def forward(self, y: Tensor) -> Tensor:
        margin = 0 if self.borders == "circular" else MARGIN * max(self.psf.shape[-2:])
        y = F.pad(y, [margin] * 4, "replicate") if margin else y
        psf = self.psf.to(y)
        x0 = prior_image(y, self.scale, "bicubic")
        x = converse2d_in_steps(y, psf, self.lam, self.scale, x0, self.steps)
        margin *= self.scale
        return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]


def build_deconvolution(
    kernel: np.ndarray,
    lam: float | None = None,
    sigma: float | None = None,
    scale: int | None = None,
    borders: str | None = None,
    steps: int | None = None,
) -> Deconvolution:
    """A deconvolution; None leaves the default.

    Args:
        kernel, lam, scale, borders, steps: as for Deconvolution.
        sigma: instead of lam: the standard deviation of the noise, on the 0-255 scale, above 0.

    Raises:
        UserError: an argument is not valid, or lam and sigma are given.
    """
    if lam is not None and sigma is not None:
        raise UserError("sigma: give lam or sigma, not both")
    if sigma is not None:
        lam = _lam_for(sigma, steps)
    given = {"lam": lam, "scale": scale, "borders": borders, "steps": steps}
    return Deconvolution(kernel, **{name: value for name, value in given.items() if value is not None})


def _lam_for(sigma: float, steps: int | None) -> float:
    if not 0 < sigma <= 255:
        raise UserError(f"sigma: must be above 0 and at most 255, got {sigma}")
    return (0.02 if steps == 1 else 0.06) * sigma  # about the best ones on Set5 (docs/restore.md)
