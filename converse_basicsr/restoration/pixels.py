"""Arrays of pixels, with alpha or without, through a restorer."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from .alpha import enlarge_alpha, fill_transparent
from .restorer import Restorer


def restore_pixels(
    restorer: Restorer,
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Restore images of the same size.

    Args:
        restorer: the network and its settings.
        pixels: (N, H, W, C), uint8, uint16 or floating-point in [0, 1].
        alpha: (N, H, W), the same type, or None. It is enlarged with the image, and unchanged at scale 1.
        progress: called as progress(done, total) for each tile.

    Returns:
        Both, (N, s*H, s*W, C) and (N, s*H, s*W), of the same type. Integers are clipped and rounded.

    Raises:
        UserError: as Restorer; or the image has numbers that are not finite.
    """
    x = to_tensor(pixels)
    if not x.isfinite().all():
        raise UserError("the image has numbers that are not finite")
    if alpha is None:
        return to_array(restorer(x, progress), pixels.dtype), None
    opacity = to_tensor(alpha[..., None])
    restored = to_array(restorer(fill_transparent(x, opacity), progress), pixels.dtype)
    if restorer.scale == 1:
        return restored, alpha
    return restored, to_array(enlarge_alpha(opacity, restorer), alpha.dtype)[..., 0]


def to_tensor(pixels: np.ndarray) -> Tensor:
    """(N, H, W, C) -> (N, C, H, W), float32 in [0, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, 1)).astype(np.float32))
    return x if np.issubdtype(pixels.dtype, np.floating) else x.div_(np.iinfo(pixels.dtype).max)


def to_array(x: Tensor, dtype: np.dtype) -> np.ndarray:
    """The inverse of to_tensor, clipped and rounded for integers. It changes x."""
    if not np.issubdtype(dtype, np.floating):
        x = x.clamp_(0, 1).mul_(np.iinfo(dtype).max).round_()
    return np.ascontiguousarray(np.moveaxis(x.numpy().astype(dtype), 1, -1))
