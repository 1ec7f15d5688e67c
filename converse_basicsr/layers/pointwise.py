"""1x1 convolution, on a CPU as a matrix product."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PointwiseConv2d(nn.Conv2d):
    """nn.Conv2d with a 1x1 kernel; same parameters and result, faster on a CPU (up to twice, with its backward).

    Args:
        in_channels, out_channels: of nn.Conv2d.

    Shape: (N, in_channels, H, W) -> (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return pointwise(x, self.weight, self.bias)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (N, C, H, W), weight (C', C, 1, 1), bias (C') -> (N, C', H, W).

    In a torch.jit trace it is a convolution, which counters of FLOPs know.
    """
    if x.device.type != "cpu" or torch.jit.is_tracing():
        return F.conv2d(x, weight, bias)
    n, _, h, w = x.shape
    matrix = weight.flatten(1).expand(n, -1, -1)
    return torch.bmm(matrix, x.flatten(2)).add_(bias.view(1, -1, 1)).unflatten(2, (h, w))
