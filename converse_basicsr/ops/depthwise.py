"""Depthwise convolution with one filter for all samples, or one each."""

from collections.abc import Callable

from torch import Tensor


def depthwise(convolution: Callable, x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """F.conv2d or F.conv_transpose2d of x (N, C, H, W) with weight (N or 1, C or 1, kh, kw)."""
    n, c = x.shape[:2]
    if weight.shape[0] == 1:
        return convolution(x, weight.expand(1, c, -1, -1).transpose(0, 1), stride=stride, groups=c)
    weight = weight.expand(n, c, -1, -1).flatten(0, 1).unsqueeze(1)
    x = convolution(x.flatten(0, 1).unsqueeze(0), weight, stride=stride, groups=n * c)
    return x.squeeze(0).unflatten(0, (n, c))
