"""A learned filter that starts as a weak low-pass."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.blur import depthwise
from ..ops.padding import Margins, pad


class Smoothing(nn.Module):
    """Filter each channel circularly with 5x5 learned taps, (N, C, H, W) -> (N, C, H, W).

    They start as 2 B - B B, with B the binomial 3x3 filter: the smoothing between the steps of `Deconvolution`.

    Args:
        num_feat: the number C of channels.
    """

    def __init__(self, num_feat: int):
        super().__init__()
        once = torch.tensor([0.0, 1, 2, 1, 0]) / 4
        twice = torch.tensor([1.0, 4, 6, 4, 1]) / 16
        taps = 2 * torch.outer(once, once) - torch.outer(twice, twice)
        self.weight = nn.Parameter(taps.repeat(1, num_feat, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return depthwise(F.conv2d, pad(x, Margins(2, 2, 2, 2), "circular"), self.weight)
