"""Converse-SRResNet: super-resolution."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import check_count
from ..layers import ConverseBlock
from ..layers.activation import gelu_after
from ..layers.pointwise import PointwiseConv2d
from ..layers.spatial import build_spatial_op
from .upscaling import STAGES, check_upscaling

UP_PADDING = 2  # the published value; no effect at factor 2 with the prior nearest or zero


class ConverseSRResNet(nn.Module):
    """Converse blocks, upsampling by Converse2D, and a skip connection that upsamples the input bilinearly.

    conv_last is initialised with zeros: an untrained network returns its bilinear skip.

    Source: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025. The
    defaults are the published x4 network.

    Args:
        num_in_ch (int): Channels of the input. Default: 3.
        num_out_ch (int): Channels of the output; equal to num_in_ch, or any number if num_in_ch is 1. Default: 3.
        num_feat (int): Channels of the features. Default: 64.
        num_block (int): Number of blocks before the upsamplers, 0 or more. Default: 16.
        upscale (int): 2, 3, 4 or 8. Default: 4.
        kernel_size (int): Side k of the blocks' kernels. Default: 5.
        padding (int | None): Padding in the blocks; None means k - 1. Default: None.
        padding_mode (str): 'circular', 'reflect', 'replicate' or 'constant', in blocks and upsamplers.
            Default: 'replicate'.
        eps (float): Lower bound of the regularisation weights in the blocks. Default: 1e-5.
        up_eps (float): Lower bound of the regularisation weights in the upsamplers. Default: 1e-3.
        prior, psf_init, learn_lam, fast_size: Options of Converse2D in blocks and upsamplers.
        spatial_op (str): 'converse', or a depthwise-conv variant with the same number of parameters: 'conv' or
            'conv_transpose', see layers/spatial.py. Default: 'converse'.
        use_checkpoint (bool): Compute the blocks again in the backward instead of keeping their features: less memory
            and more time in training. Default: False.

    Shape: (N, num_in_ch, h, w) in [0, 1] -> (N, num_out_ch, upscale*h, upscale*w).
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_block: int = 16,
        upscale: int = 4,
        kernel_size: int = 5,
        padding: int | None = None,
        padding_mode: str = "replicate",
        eps: float = 1e-5,
        up_eps: float = 1e-3,
        prior: str = "nearest",
        psf_init: str = "softmax",
        learn_lam: bool = True,
        fast_size: bool = False,
        spatial_op: str = "converse",
        use_checkpoint: bool = False,
    ):
        super().__init__()
        check_count("num_in_ch", num_in_ch)
        check_count("num_out_ch", num_out_ch)
        check_count("num_feat", num_feat)
        check_count("num_block", num_block, least=0)
        check_upscaling(upscale, num_in_ch, num_out_ch)
        self.in_channels = num_in_ch
        self.scale = upscale
        options = prior, psf_init, learn_lam, fast_size, spatial_op
        block = partial(
            ConverseBlock, num_feat, kernel_size, padding, padding_mode, eps, *options, use_checkpoint=use_checkpoint
        )
        self.conv_first = PointwiseConv2d(num_in_ch, num_feat)
        self.conv_body = nn.Sequential(*[block() for _ in range(num_block)])
        for i, factor in enumerate(STAGES[upscale], start=1):
            up = build_spatial_op(num_feat, factor, factor, UP_PADDING, padding_mode, up_eps, *options)
            self.add_module(f"upconv{i}", block())
            self.add_module(f"up{i}", up)
        self.conv_hres = block()
        self.conv_last = PointwiseConv2d(num_feat, num_out_ch, bias=False)
        nn.init.zeros_(self.conv_last.weight)

    def forward(self, x: Tensor) -> Tensor:
        feat = gelu_after(self.conv_first, x)
        feat = self.conv_body(feat)
        for i in range(1, len(STAGES[self.scale]) + 1):
            upconv, up = self.get_submodule(f"upconv{i}"), self.get_submodule(f"up{i}")
            feat = gelu_after(up, upconv(feat))
        feat = gelu_after(self.conv_hres, feat)
        skip = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return self.conv_last(feat) + skip
