"""The building block of the Converse networks."""

import torch
from torch import Tensor, nn

from .layer_norm import LayerNorm2d
from .pointwise import PointwiseConv2d
from .residual_branch import add_branch
from .spatial import build_spatial_op

BRANCH_SCALE = 0.1  # of the initial weights that end a branch


class ConverseBlock(nn.Module):
    """Spatial mixing by Converse2D, then channel mixing, each on a normalised residual branch.

        x = x + alpha1 * conv1(x)   conv1: layer norm, 1x1 C->2C, GELU, Converse2D(2C), GELU, 1x1 2C->C
        x = x + alpha2 * conv2(x)   conv2: layer norm, 1x1 C->2C, GELU, 1x1 2C->C

    alpha1 = alpha2 = 1 without residual_gain. The branches start small, so that a new block returns nearly its
    input: training is faster from there.

    Source: Huang et al., ICCV 2025 (arXiv 2508.09824).

    Args:
        num_feat: C.
        kernel_size: k of the psf.
        padding: of Converse2D; None means k - 1.
        padding_mode, eps, prior, psf_init, learn_lam, fast_size: of Converse2D.
        spatial_op: 'converse', or a baseline that replaces it: 'conv' (depthwise convolution; uses kernel_size and
            padding_mode) or 'conv_transpose' (depthwise transposed convolution; uses kernel_size).
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
        prior: str = "nearest",
        psf_init: str = "softmax",
        learn_lam: bool = True,
        fast_size: bool = False,
        spatial_op: str = "converse",
        residual_gain: bool = False,
    ):
        super().__init__()
        wide = 2 * num_feat
        padding = kernel_size - 1 if padding is None else padding
        options = padding_mode, eps, prior, psf_init, learn_lam, fast_size, spatial_op
        mix = build_spatial_op(wide, kernel_size, 1, padding, *options)
        self.conv1 = nn.Sequential(
            LayerNorm2d(num_feat),
            PointwiseConv2d(num_feat, wide),
            nn.GELU(),
            mix,
            nn.GELU(),
            PointwiseConv2d(wide, num_feat),
        )
        self.conv2 = nn.Sequential(
            LayerNorm2d(num_feat),
            PointwiseConv2d(num_feat, wide),
            nn.GELU(),
            PointwiseConv2d(wide, num_feat),
        )
        if not residual_gain:  # which would start at 0
            for project in (self.conv1[-1], self.conv2[-1]):
                nn.init.zeros_(project.bias)
                with torch.no_grad():
                    project.weight.mul_(BRANCH_SCALE)
        self.alpha1 = nn.Parameter(torch.zeros(1, num_feat, 1, 1)) if residual_gain else None
        self.alpha2 = nn.Parameter(torch.zeros(1, num_feat, 1, 1)) if residual_gain else None

    def forward(self, x: Tensor) -> Tensor:
        x = add_branch(x, self.conv1, self.alpha1)
        return add_branch(x, self.conv2, self.alpha2, reuse=True)
