"""The building block of the Converse networks."""

import torch
from torch import Tensor, nn

from .converse2d import Converse2D
from .layer_norm import LayerNorm2d


class ConverseBlock(nn.Module):
    """Spatial mixing by Converse2D, then mixing of channels, each on a normalised residual branch.

    Source: Huang et al., ICCV 2025, figure 3 (Converse Block).

    Args:
        num_feat: C.
        kernel_size: k of the psf.
        padding: of Converse2D; None means k - 1.
        padding_mode: of Converse2D.
        eps: of Converse2D.
        residual_gain: multiply each branch by a learnable gain per channel that starts at 0
            (Converse-USRNet's variant; keys alpha1, alpha2).

    Shape: (N, C, H, W) -> (N, C, H, W).
    """

    def __init__(
        self,
        num_feat: int = 64,
        kernel_size: int = 5,
        padding: int | None = None,
        padding_mode: str = "replicate",
        eps: float = 1e-5,
        residual_gain: bool = False,
    ):
        super().__init__()
        wide = 2 * num_feat
        padding = kernel_size - 1 if padding is None else padding
        self.conv1 = nn.Sequential(
            LayerNorm2d(num_feat),
            nn.Conv2d(num_feat, wide, 1),
            nn.GELU(),
            Converse2D(wide, wide, kernel_size, 1, padding, padding_mode, eps),
            nn.GELU(),
            nn.Conv2d(wide, num_feat, 1),
        )
        self.conv2 = nn.Sequential(
            LayerNorm2d(num_feat),
            nn.Conv2d(num_feat, wide, 1),
            nn.GELU(),
            nn.Conv2d(wide, num_feat, 1),
        )
        self.alpha1 = nn.Parameter(torch.zeros(1, num_feat, 1, 1)) if residual_gain else None
        self.alpha2 = nn.Parameter(torch.zeros(1, num_feat, 1, 1)) if residual_gain else None

    def forward(self, x: Tensor) -> Tensor:
        x = x + _gained(self.conv1(x), self.alpha1)
        return x + _gained(self.conv2(x), self.alpha2)


def _gained(branch: Tensor, gain: Tensor | None) -> Tensor:
    return branch if gain is None else gain * branch
