"""Consistency: one exact step after which an enlarged image, reduced again, gives its input (docs/consistency.md)."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError
from ..ops import FilterCache, blur_decimate, converse2d
from ..ops.padding import Margins

BICUBIC = "bicubic"
CONSISTENCY_LAM = 0.01
_MARGIN = 4  # psfs, around an image that cannot be mirrored; the correction decays there


class Consistency:
    """The step x + A' (A A' + lam)^-1 (y - A x): the exact minimiser z of || y - A z ||^2 + lam || z - x ||^2.

    A blurs with the psf and keeps the top-left pixel of each s x s block (``ops.blur_decimate``). At the borders the
    image is extended symmetrically, as by MATLAB's imresize. If the psf is symmetric about the centre of a block, as
    ``bicubic_psf`` is, an image and its mirror images are one period of a torus on which A is circular: the step is
    exact up to the border, for images of any size. For other psfs the residual y - A x counts as 0 beyond the border.

    Args:
        psf: (kh, kw) with sum 1, centre at tap (kh//2, kw//2).
        scale: s >= 1.
        lam: the weight of x, > 0. Of a wrong mean, the step corrects the share 1 / (1 + lam s^2).
    """

    def __init__(self, psf: Tensor, scale: int, lam: float = CONSISTENCY_LAM):
        self.psf = psf.double()[None, None]
        self.scale = scale
        self.lam = lam
        self.mirrors = is_symmetric(psf, scale)
        self._cache = FilterCache()  # all channels have the same filter

    @torch.no_grad()
    def __call__(self, x: Tensor, y: Tensor, device: torch.device | str | None = None) -> Tensor:
        """The image nearest to x that is consistent with y.

        Args:
            x: (N, C, s*h, s*w), a restored image.
            y: (N, C, h, w), its input.
            device: computes the step, one channel of one sample at a time; None: the device of x.

        Returns:
            (N, C, s*h, s*w) on the device of x, without gradients, neither clipped nor rounded; float32, or float64 if
            x is.

        Raises:
            UserError: the shapes do not fit.
        """
        n, c, h, w = y.shape
        if x.shape != (n, c, self.scale * h, self.scale * w):
            needed = (n, c, self.scale * h, self.scale * w)
            raise UserError(f"consistency: the restored image must have the shape {needed}, got {tuple(x.shape)}")
        dtype = torch.promote_types(x.dtype, torch.float32)
        x = x.to(dtype, copy=True, memory_format=torch.contiguous_format)
        device = x.device if device is None else device
        for plane, low in zip(x.view(-1, 1, 1, *x.shape[-2:]), y.reshape(-1, 1, 1, h, w), strict=True):
            plane += self._correction(plane.to(device), low.to(device, dtype)).to(x.device)
        return x

    def reduce(self, x: Tensor) -> Tensor:
        """A x: (N, C, s*h, s*w) -> (N, C, h, w)."""
        margin = math.ceil(max(self.psf.shape[-2:]) // 2 / self.scale)
        margins = Margins(margin, margin, margin, margin)
        extended = mirrored(x, margins.scaled(self.scale))
        return margins.crop(blur_decimate(extended, self.psf.to(x), self.scale))

    def _correction(self, x: Tensor, y: Tensor) -> Tensor:
        """A' (A A' + lam)^-1 (y - A x): Converse2D of the residual, with the prior 0."""
        residual, psf, (height, width) = y - self.reduce(x), self.psf.to(x), x.shape[-2:]
        if self.mirrors:
            period = mirrored(residual, Margins(right=residual.shape[-1], bottom=residual.shape[-2]))
            return converse2d(period, psf, self.lam, self.scale, "zero", cache=self._cache)[..., :height, :width]
        margin = math.ceil(_MARGIN * max(psf.shape[-2:]) / self.scale)
        return converse2d(residual, psf, self.lam, self.scale, "zero", margin, "constant", cache=self._cache)


def bicubic_psf(scale: int) -> Tensor:
    """The psf of MATLAB's imresize by 1/scale (bicubic, antialiased): (k, k), float64, sum 1, k odd.

    Along an axis it weighs the pixels within 2s of the centre of a block, (s-1)/2: pixels -6 to 9 for s = 4, k = 19.
    """
    centre = (scale - 1) / 2
    radius = math.ceil(centre + 2 * scale) - 1
    pixels = torch.arange(radius, -radius - 1, -1, dtype=torch.float64)  # that a tap takes, from the block's first one
    distance = (pixels - centre).abs() / scale
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = torch.where(distance <= 1, near, torch.where(distance <= 2, far, 0))
    weights = weights / weights.sum()
    return torch.outer(weights, weights)


def is_symmetric(psf: Tensor, scale: int) -> bool:
    """Whether the psf (kh, kw) is symmetric, along each axis, about the centre of a block of scale x scale pixels."""
    (top, bottom), (left, right) = (_zeros_around(side, scale) for side in psf.shape)
    psf = F.pad(psf, (left, right, top, bottom))  # now the block's centre is the middle
    return all(torch.allclose(psf, psf.flip(axis), rtol=0, atol=1e-6 * psf.abs().max()) for axis in (0, 1))


def _zeros_around(side: int, scale: int) -> tuple[int, int]:
    """Zeros before and after the taps of one axis that move the centre of a block into the middle."""
    shift = 2 * (side // 2) - side - scale + 2
    return max(-shift, 0), max(shift, 0)


def mirrored(x: Tensor, margins: Margins) -> Tensor:
    """x (..., h, w), extended symmetrically: ... b a | a b c | c b ...; margins may be longer than the sides."""
    for dim, before, after in ((-2, margins.top, margins.bottom), (-1, margins.left, margins.right)):
        side = x.shape[dim]
        index = torch.arange(-before, side + after, device=x.device) % (2 * side)
        x = x.index_select(dim, torch.minimum(index, 2 * side - 1 - index))
    return x


def build_consistency(psf: Any, scale: int, lam: float | None = None) -> Consistency:
    """The step for a reduction that a user names.

    Args:
        psf: 'bicubic' for MATLAB's reduction, or a blur kernel: an array, a file or a formula as for ``choose_kernel``;
            taps may be negative.
        scale: s.
        lam: None: CONSISTENCY_LAM.

    Raises:
        UserError: an argument is not valid.
    """
    from ..blur_kernels.choosing import choose_kernel  # numpy

    lam = CONSISTENCY_LAM if lam is None else lam
    if not 0 < lam < math.inf:
        raise UserError(f"consistency_lam: must be above 0, got {lam}")
    if isinstance(psf, str) and psf == BICUBIC:
        if scale == 1:
            raise UserError("consistency: bicubic is a reduction, and needs a scale above 1")
        return Consistency(bicubic_psf(scale), scale, lam)
    try:
        return Consistency(torch.from_numpy(choose_kernel(psf, signed=True)), scale, lam)
    except UserError as error:
        raise UserError(f"consistency: must be bicubic or a blur kernel; {error}") from error
