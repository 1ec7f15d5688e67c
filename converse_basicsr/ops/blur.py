"""The forward model that Converse2D inverts."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def blur_decimate(x: Tensor, psf: Tensor, scale: int = 1) -> Tensor:
    """A x: blur circularly, keep the top-left sample of each s x s block.

    Args:
        x: (N, C, s*h, s*w).
        psf: (N or 1, C or 1, kh, kw), centre at tap (kh//2, kw//2).
        scale: s >= 1.

    Returns:
        (N, C, h, w).
    """
    kh, kw = taps_of(psf)
    x = F.pad(x, (kw - 1 - kw // 2, kw // 2, kh - 1 - kh // 2, kh // 2), "circular")
    return depthwise(F.conv2d, x, psf.flip(-2, -1), scale)


def taps_of(psf: Tensor) -> tuple[int, int]:
    """(kh, kw); in a trace a size is a tensor, but these are constants."""
    kh, kw = map(int, psf.shape[-2:])
    return kh, kw


def depthwise(convolution: Callable, x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """F.conv2d or F.conv_transpose2d of x (N, C, H, W) with weight (N or 1, C or 1, kh, kw), channel by channel."""
    n, c = x.shape[0], int(x.shape[1])  # in a trace a size is a tensor, and weights must have constant sizes
    if weight.shape[0] == 1:
        kh, kw = taps_of(weight)
        weight = weight.expand(1, c, kh, kw).reshape(c, 1, kh, kw)
        return convolution(x, weight, stride=stride, groups=c)
    weight = weight.expand(n, c, -1, -1).flatten(0, 1).unsqueeze(1)
    x = convolution(x.flatten(0, 1).unsqueeze(0), weight, stride=stride, groups=n * c)
    return x.squeeze(0).unflatten(0, (n, c))
