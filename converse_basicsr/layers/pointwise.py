"""1x1 convolution, on a CPU as a matrix product."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.compiling import is_compiling


class PointwiseConv2d(nn.Conv2d):
    """nn.Conv2d with a 1x1 kernel; same parameters and result, faster on a CPU (up to twice, with its backward).

    Args:
        in_channels, out_channels, bias: of nn.Conv2d.

    Shape: (N, in_channels, H, W) -> (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return pointwise(x, self.weight, self.bias)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (N, C, H, W), weight (C', C, 1, 1), bias (C') -> (N, C', H, W).

    In a torch.jit trace it is a convolution, which counters of FLOPs know.
    """
    if x.device.type != "cpu" or torch.jit.is_tracing():
        return F.conv2d(x, weight, bias)
    out = multiply_channels(weight.flatten(1), x)
    return out if bias is None else out.add_(bias.view(-1, 1, 1))


def add_pointwise(x: Tensor, branch: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x + pointwise(branch, weight, bias), on a CPU with a pass less."""
    if not has_cpu_form(x):
        return x + pointwise(branch, weight, bias)
    matrix = weight.flatten(1).expand(len(x), -1, -1)
    return torch.add(x.flatten(2), bias.view(-1, 1)).baddbmm_(matrix, branch.flatten(2)).unflatten(2, x.shape[2:])


def multiply_channels(matrix: Tensor, x: Tensor) -> Tensor:
    """matrix (C', C), x (N, C, H, W) -> (N, C', H, W)."""
    return torch.bmm(matrix.expand(len(x), -1, -1), x.flatten(2)).unflatten(2, x.shape[2:])


def has_cpu_form(x: Tensor) -> bool:
    """Whether x goes through what is written for a CPU: neither in half precision nor where a graph is recorded."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and not (is_compiling() or _autocasts())


def _autocasts() -> bool:
    if torch.__version__ < (2, 4):
        return torch.is_autocast_cpu_enabled()
    return torch.is_autocast_enabled("cpu")
