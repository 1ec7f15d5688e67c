"""1x1 convolution, on a CPU as a matrix product."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PointwiseConv2d(nn.Conv2d):
    """nn.Conv2d with a 1x1 kernel; same parameters and result, faster on a CPU (up to twice, with its backward).

    Args:
        in_channels, out_channels, bias: of nn.Conv2d.

    Shape: (N, in_channels, H, W) -> (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or x.dim() != 4:
            return F.conv2d(x, self.weight, self.bias)
        out = multiply_channels(self.weight.flatten(1), x)
        return out if self.bias is None else out.add_(self.bias.view(-1, 1, 1))


def multiply_channels(matrix: Tensor, x: Tensor) -> Tensor:
    """matrix (C', C), x (N, C, H, W) -> (N, C', H, W)."""
    product = torch.bmm(matrix.expand(x.shape[0], -1, -1), x.flatten(2))
    return product.view(x.shape[0], matrix.shape[0], *x.shape[2:])  # torch's older exporter fails at unflatten here
