"""Spatial operators of the Converse networks: Converse2D, and its baselines with the same number of parameters."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import check_count
from .converse2d import Converse2D

SPATIAL_OPS = ("converse", "conv", "conv_transpose")


def check_spatial_op(spatial_op: str) -> None:
    """Raise ValueError unless it is one of SPATIAL_OPS."""
    if spatial_op not in SPATIAL_OPS:
        raise ValueError(f"spatial_op must be one of {', '.join(SPATIAL_OPS)}, got {spatial_op!r}")


def build_spatial_op(
    num_feat: int,
    kernel_size: int,
    scale: int,
    padding: int,
    padding_mode: str,
    eps: float,
    prior: str = "nearest",
    psf_init: str = "softmax",
    learn_lam: bool = True,
    fast_size: bool = False,
    spatial_op: str = "converse",
) -> nn.Module:
    """Build the operator of a row of the paper's tables: C*(k*k + 1) parameters, (N, C, h, w) -> (N, C, s*h, s*w).

    Args:
        padding, padding_mode, eps, prior, psf_init, learn_lam, fast_size: of Converse2D. The baselines keep the size
            by themselves and use torch's initialisation; 'conv' uses padding_mode, 'conv_transpose' none of these.
        spatial_op: 'converse', 'conv' (depthwise convolution, of nearest upsampling where s > 1) or
            'conv_transpose' (depthwise transposed convolution with stride s).
    """
    check_spatial_op(spatial_op)
    check_count("num_feat", num_feat)
    check_count("kernel_size", kernel_size)
    check_count("scale", scale)
    if spatial_op == "converse":
        options = padding, padding_mode, eps, prior, psf_init, learn_lam, fast_size
        return Converse2D(num_feat, num_feat, kernel_size, scale, *options)
    if spatial_op == "conv":
        return UpsampledDepthwiseConv2d(num_feat, kernel_size, scale, padding_mode)
    return depthwise_conv_transpose(num_feat, kernel_size, scale)


class UpsampledDepthwiseConv2d(nn.Conv2d):
    """Nearest upsampling by s (none for 1), then a depthwise convolution that keeps the size."""

    def __init__(self, num_feat: int, kernel_size: int, scale: int, padding_mode: str):
        mode = "zeros" if padding_mode == "constant" else padding_mode
        super().__init__(num_feat, num_feat, kernel_size, padding="same", groups=num_feat, padding_mode=mode)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=self.scale) if self.scale > 1 else x)


def depthwise_conv_transpose(num_feat: int, kernel_size: int, scale: int) -> nn.ConvTranspose2d:
    """A depthwise transposed convolution with stride s whose output is exactly s times its input.

    Raises:
        ValueError: an even kernel with stride 1, which has no such output.
    """
    padding = max(0, (kernel_size - scale + 1) // 2)
    output_padding = scale - kernel_size + 2 * padding
    if scale == 1 and output_padding:
        raise ValueError(f"conv_transpose with scale {scale} needs an odd kernel_size, got {kernel_size}")
    return nn.ConvTranspose2d(num_feat, num_feat, kernel_size, scale, padding, output_padding, groups=num_feat)
