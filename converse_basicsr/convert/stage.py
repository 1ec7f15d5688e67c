"""Converse2D with what the replaced layer did beside it: mixing channels and adding a bias."""

import torch
from torch import Tensor, nn

from ..layers.converse2d import Converse2D


class ConverseStage(nn.Module):
    """A convolution, Converse2D, and a bias per channel; the first and the last only where they are needed.

    Args:
        mix: a convolution without a bias, in front of Converse2D, or None.
        up: the Converse2D.
        bias: whether a bias is added to the result; it starts at zero.

    Shape: (N, C, h, w) -> (N, up.in_channels, s*h, s*w); mix takes C channels and keeps the size.
    """

    def __init__(self, mix: nn.Conv2d | None, up: Converse2D, bias: bool):
        super().__init__()
        self.mix = mix
        self.up = up
        self.bias = nn.Parameter(torch.zeros(1, up.in_channels, 1, 1)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(x if self.mix is None else self.mix(x))
        return x if self.bias is None else x + self.bias.to(x.dtype)
