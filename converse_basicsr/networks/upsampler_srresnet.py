"""MSRResNet with a choice of upsamplers, to compare Converse2D with PixelShuffle and others."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import check_count, check_flag
from ..layers.upsamplers import build_upsampler
from .upscaling import STAGES, check_upscaling

INIT_SCALE = 0.1  # factor of the initial weights, as in MSRResNet


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), 3x3 convolutions: MSRResNet's block, with its parameter names."""

    def __init__(self, num_feat: int):
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        initialise((self.conv1, self.conv2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x)))


@torch.no_grad()
def initialise(convs: Iterable[nn.Conv2d]) -> None:
    """He initialisation (normal, fan-in) times INIT_SCALE, and zero biases."""
    for conv in convs:
        nn.init.kaiming_normal_(conv.weight)
        conv.weight.mul_(INIT_SCALE)
        nn.init.zeros_(conv.bias)


class UpsamplerSRResNet(nn.Module):
    """BasicSR's MSRResNet with a choice of upsamplers.

    With 'pixelshuffle' it equals MSRResNet: same parameter names, same output. 'converse' is the second variant of
    Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025.

    Args:
        num_in_ch (int): Channels of the input. Default: 3.
        num_out_ch (int): Channels of the output; equal to num_in_ch, or any number if num_in_ch is 1. Default: 3.
        num_feat (int): Channels of the features. Default: 64.
        num_block (int): Number of residual blocks, 0 or more. Default: 16.
        upscale (int): 2, 3, 4 or 8; 4 and 8 in stages of 2. Default: 4.
        upsampler (str): 'pixelshuffle', 'conv_transpose', 'nearest_conv', 'converse', 'carafe' or 'dysample', see
            layers/upsamplers.py. Upsamplers that do not mix channels follow a 3x3 convolution, as PixelShuffle does.
            Default: 'pixelshuffle'.
        up_kernel_size (int | None): Side k of Converse2D's kernels; None means the factor of the stage. With upsampler
            'converse' only. Default: None.
        single_step (bool): One stage with the whole factor, also for 4 and 8. Default: False.

    Shape: (N, num_in_ch, h, w) in [0, 1] -> (N, num_out_ch, upscale*h, upscale*w).
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_block: int = 16,
        upscale: int = 4,
        upsampler: str = "pixelshuffle",
        up_kernel_size: int | None = None,
        single_step: bool = False,
    ):
        super().__init__()
        check_count("num_in_ch", num_in_ch)
        check_count("num_out_ch", num_out_ch)
        check_count("num_feat", num_feat)
        check_count("num_block", num_block, least=0)
        if up_kernel_size is not None:
            check_count("up_kernel_size", up_kernel_size)
        check_upscaling(upscale, num_in_ch, num_out_ch)
        check_flag("single_step", single_step)
        self.in_channels = num_in_ch
        self.scale = upscale
        self.conv_first = nn.Conv2d(num_in_ch, num_feat, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(num_feat) for _ in range(num_block)))
        stages = (upscale,) if single_step else STAGES[upscale]
        self.num_stage = len(stages)
        for i, factor in enumerate(stages, start=1):
            upconv, up = build_upsampler(upsampler, num_feat, factor, up_kernel_size)
            self.add_module(f"upconv{i}", upconv)
            self.add_module(f"up{i}", up)
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(num_feat, num_out_ch, 3, padding=1)
        self.lrelu = nn.LeakyReLU(negative_slope=0.1, inplace=True)
        initialise(module for module in self.children() if isinstance(module, nn.Conv2d))

    def forward(self, x: Tensor) -> Tensor:
        feat = self.body(self.lrelu(self.conv_first(x)))
        for i in range(1, self.num_stage + 1):
            upconv, up = self.get_submodule(f"upconv{i}"), self.get_submodule(f"up{i}")
            feat = self.lrelu(up(upconv(feat)))
        skip = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return self.conv_last(self.lrelu(self.conv_hr(feat))) + skip
