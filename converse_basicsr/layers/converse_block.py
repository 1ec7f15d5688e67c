"""The building block of the Converse networks."""

import torch
from torch import Tensor, nn

from ..arguments import check_count, check_flag
from ..ops.dispatch import needs_plain_operations
from .branch_checkpointed import again, count_groups
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
        num_feat: the number C of channels.
        kernel_size: k of the psf.
        padding: of Converse2D; None means k - 1.
        padding_mode, eps, prior, psf_init, learn_lam, fast_size: of Converse2D.
        spatial_op: 'converse', or a baseline that replaces it: 'conv' (depthwise convolution; uses kernel_size and
            padding_mode) or 'conv_transpose' (depthwise transposed convolution; uses kernel_size).
        residual_gain: multiply each branch by a learnable gain per channel that starts at 0
            (Converse-USRNet's variant; keys alpha1, alpha2).
        use_checkpoint: compute the branches again in the backward instead of keeping their features: less memory, more
            time, same result.

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
        use_checkpoint: bool = False,
    ):
        super().__init__()
        check_count("num_feat", num_feat)
        check_count("kernel_size", kernel_size)
        check_flag("use_checkpoint", use_checkpoint)
        self.use_checkpoint = use_checkpoint
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
        if not self.use_checkpoint or not torch.is_grad_enabled() or needs_plain_operations(x):
            return self._add_branches(x)
        if count_groups(x) == 1:
            return again(self._add_branches, x)
        return self._add_branches(x, use_checkpoint=True)

    def _add_branches(self, x: Tensor, use_checkpoint: bool = False) -> Tensor:
        x = add_branch(x, self.conv1, self.alpha1, use_checkpoint=use_checkpoint)
        return add_branch(x, self.conv2, self.alpha2, reuse=True, use_checkpoint=use_checkpoint)
