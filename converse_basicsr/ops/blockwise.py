"""For a psf no larger than the scale: shifted psfs do not overlap, A A' is a number, and no FFT is needed.

x = x0 + A' (y - A x0) / (|psf|^2 + lam)
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .blur import blur_decimate, depthwise, taps_of
from .padding import Margins, pad
from .prior import Prior, prior_image


def fits_block(psf: Tensor, scale: int) -> bool:
    """Whether the exact spatial form applies: kh <= s and kw <= s."""
    return max(psf.shape[-2:]) <= scale


def stays_in_block(psf: Tensor, scale: int) -> bool:
    """Whether, in addition, no tap leaves its s x s block."""
    return fits_block(psf, scale) and max(psf.shape[-2:]) <= 2


def solve_blockwise(
    y: Tensor, psf: Tensor, lam: Tensor, scale: int, x0: Prior, margins: Margins, mode: str, plain: bool
) -> Tensor:
    """The solution for a psf that fits_block; arguments as in converse2d, plain as in transforms.Torus."""
    if stays_in_block(psf, scale):
        if isinstance(x0, str) and x0 in ("nearest", "zero"):
            return _solve_pointwise(y, psf, lam, scale, x0)
        if isinstance(x0, Tensor) or mode == "replicate" or not any(margins):  # interpolation replicates borders too
            return _solve_in_blocks(y, psf, lam, scale, prior_image(y, scale, x0))
    fine = margins.scaled(scale)
    x0 = pad(x0, fine, mode, plain) if isinstance(x0, Tensor) else x0
    return fine.crop(_solve_on_torus(pad(y, margins, mode, plain), psf, lam, scale, x0))


def _solve_on_torus(y: Tensor, psf: Tensor, lam: Tensor, scale: int, x0: Prior) -> Tensor:
    inverse = 1 / _gain(psf, lam)
    nearest = isinstance(x0, str) and x0 == "nearest"
    x0 = prior_image(y, scale, x0)
    reduced = _reduce_nearest(y, psf) if nearest else blur_decimate(x0, psf, scale)
    return x0 + _spread((y - reduced) * inverse, psf, scale)


def _solve_pointwise(y: Tensor, psf: Tensor, lam: Tensor, scale: int, prior: str) -> Tensor:
    """Each sample makes one block of the result, so neither torus nor padding changes it."""
    weight = _as_block(psf, scale) / _gain(psf, lam)
    if prior == "nearest":
        weight = 1 + weight * (1 - psf.sum((-2, -1), keepdim=True))
    return _blocks(y, weight)


def _solve_in_blocks(y: Tensor, psf: Tensor, lam: Tensor, scale: int, x0: Tensor) -> Tensor:
    """Each block of the result depends on one sample and its own block of x0 only, so padding does not change it."""
    reduced = depthwise(F.conv2d, x0, psf.flip(-2, -1), scale)
    return x0 + _blocks((y - reduced) / _gain(psf, lam), _as_block(psf, scale))


def _gain(psf: Tensor, lam: Tensor) -> Tensor:
    """A A' + lam = |psf|^2 + lam, (N or 1, C or 1, 1, 1)."""
    return psf.square().sum((-2, -1), keepdim=True) + lam


def _as_block(psf: Tensor, scale: int) -> Tensor:
    """The s x s block that one sample is spread to."""
    kh, kw = taps_of(psf)
    return F.pad(psf.flip(-2, -1), (0, scale - kw, 0, scale - kh))


def _blocks(y: Tensor, weight: Tensor) -> Tensor:
    """y (N, C, h, w) times weight (.., s, s): every sample makes its own s x s block of the result."""
    if y.device.type == "cpu":
        return depthwise(F.conv_transpose2d, y, weight, int(weight.shape[-1]))  # in a trace a size is a tensor
    return outer_product(y, weight)


def outer_product(y: Tensor, weight: Tensor) -> Tensor:
    """_blocks without a convolution, since those may use TensorFloat-32 on a GPU."""
    n, c, h, w = y.shape
    scale = weight.shape[-1]
    blocks = y[..., :, None, :, None] * weight[..., None, :, None, :]
    return blocks.reshape(n, c, h * scale, w * scale)


def _reduce_nearest(y: Tensor, psf: Tensor) -> Tensor:
    """A x0 for x0 = nearest upsampling of y: taps up to the centre read their own block, later ones the previous."""
    for dim, taps in zip((-2, -1), taps_of(psf), strict=True):
        own = taps // 2 + 1
        parts = psf.split([own, taps - own], dim)
        psf = torch.cat([part.sum(dim, keepdim=True) for part in reversed(parts)], dim)
    return depthwise(F.conv2d, F.pad(y, (1, 0, 1, 0), "circular"), psf)


def _spread(z: Tensor, psf: Tensor, scale: int) -> Tensor:
    """A' z, the transpose of blur_decimate: a sample spreads its taps over its own and the previous block at most."""
    h, w = z.shape[-2] * scale, z.shape[-1] * scale
    top, left = (taps - 1 - taps // 2 for taps in taps_of(psf))
    x = _blocks(F.pad(z, (1, 1, 1, 1), "circular"), _as_block(psf, scale))
    return x[..., scale + top :, scale + left :][..., :h, :w]
