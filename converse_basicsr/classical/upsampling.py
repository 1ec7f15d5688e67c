"""Interpolation."""

from torch import Tensor, nn

from ..arguments import check_count
from ..degradations.bicubic import enlarge_batch


class Bicubic(nn.Module):
    """MATLAB's bicubic imresize.

    Args:
        upscale (int): The factor s. Default: 4.

    Shape: (N, C, h, w) -> (N, C, s*h, s*w).
    """

    def __init__(self, upscale: int = 4):
        super().__init__()
        check_count("upscale", upscale)
        self.upscale = upscale

    def forward(self, x: Tensor) -> Tensor:
        return enlarge_batch(x, self.upscale)
