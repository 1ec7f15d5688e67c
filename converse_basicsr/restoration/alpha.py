"""Transparent pictures: colours where nothing is seen, and alpha itself."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

_REACH = 2  # pixels of the input, from which an enlarged alpha takes its limits


def fill_transparent(x: Tensor, alpha: Tensor) -> Tensor:
    """The colours with those of fully transparent pixels replaced by their neighbours'.

    Files store anything there, often black, and a network would spread it into the visible edge.

    Args:
        x: (N, C, H, W).
        alpha: (N, 1, H, W) in [0, 1].
    """
    return _filled(x, (alpha > 0).to(x.dtype))


def _filled(x: Tensor, known: Tensor) -> Tensor:
    """x where known is 1; elsewhere the mean of what is known around, from ever coarser grids."""
    if known.all() or max(x.shape[-2:]) == 1:
        return x
    share = F.avg_pool2d(known, 2, ceil_mode=True, count_include_pad=False)
    mean = F.avg_pool2d(x * known, 2, ceil_mode=True, count_include_pad=False) / share.clamp(min=1e-6)
    coarse = _filled(mean, (share > 0).to(x.dtype))
    around = F.interpolate(coarse, scale_factor=2, mode="nearest")[..., : x.shape[-2], : x.shape[-1]]
    return x * known + around * (1 - known)


def enlarge_alpha(alpha: Tensor, restore: Callable[[Tensor], Tensor]) -> Tensor:
    """alpha (N, 1, H, W), enlarged as a gray picture, within the limits of its neighbourhood: opaque stays opaque."""
    enlarged = restore(alpha)
    size = enlarged.shape[-2:]
    side = 2 * _REACH + 1
    most = F.interpolate(F.max_pool2d(alpha, side, 1, _REACH), size)
    least = F.interpolate(-F.max_pool2d(-alpha, side, 1, _REACH), size)
    return enlarged.clamp(min=least, max=most)
