"""Upsamplers of feature maps to compare with Converse2D: (N, C, h, w) -> (N, C, s*h, s*w).

CARAFE and DySample are our own implementations in plain torch, after the descriptions in their papers.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import check_count, check_odd
from .converse2d import Converse2D

UPSAMPLERS = ("pixelshuffle", "conv_transpose", "nearest_conv", "converse", "carafe", "dysample")


def build_upsampler(
    upsampler: str, num_feat: int, scale: int, kernel_size: int | None = None
) -> tuple[nn.Module, nn.Module]:
    """Build an upsampling stage: a convolution, and the module after it. Together they mix channels and upsample.

    Args:
        upsampler: one of UPSAMPLERS:
            'pixelshuffle': 3x3 convolution to s*s times the channels, and PixelShuffle (Shi et al., CVPR 2016).
            'conv_transpose': a transposed convolution alone, k = 4 for s = 2, k = 5 for s = 3, k = 8 for s = 4.
            'nearest_conv': nearest upsampling, then a 3x3 convolution; nothing before.
            'converse': 3x3 convolution, and Converse2D.
            'carafe': 3x3 convolution, and CARAFE.
            'dysample': 3x3 convolution, and DySample.
        num_feat: C.
        scale: s.
        kernel_size: k of Converse2D; None means s.

    Raises:
        ValueError: the name is not known, num_feat does not fit it, it has no kernel_size, or a count is below 1.
    """
    check_count("num_feat", num_feat)
    check_count("scale", scale)
    if kernel_size is not None and upsampler != "converse":
        raise ValueError(f"the kernel size can be chosen with upsampler 'converse' only, got {upsampler!r}")
    if upsampler == "pixelshuffle":
        return nn.Conv2d(num_feat, num_feat * scale**2, 3, padding=1), nn.PixelShuffle(scale)
    if upsampler == "conv_transpose":
        kernel_size = 2 * scale - scale % 2  # the difference to s is even: the output is s times the input
        return nn.Identity(), nn.ConvTranspose2d(num_feat, num_feat, kernel_size, scale, (kernel_size - scale) // 2)
    if upsampler == "nearest_conv":
        return nn.Identity(), NearestConv2d(num_feat, scale)
    if upsampler == "converse":
        size = scale if kernel_size is None else kernel_size
        up = Converse2D(num_feat, num_feat, size, scale, padding=2, padding_mode="replicate", eps=1e-3)
    elif upsampler == "carafe":
        up = Carafe(num_feat, scale)
    elif upsampler == "dysample":
        up = DySample(num_feat, scale)
    else:
        raise ValueError(f"upsampler must be one of {', '.join(UPSAMPLERS)}, got {upsampler!r}")
    return nn.Conv2d(num_feat, num_feat, 3, padding=1), up


class NearestConv2d(nn.Conv2d):
    """Nearest upsampling by s, then a 3x3 convolution."""

    def __init__(self, num_feat: int, scale: int):
        check_count("num_feat", num_feat)
        check_count("scale", scale)
        super().__init__(num_feat, num_feat, 3, padding=1)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=self.scale))


class Carafe(nn.Module):
    """Content-aware reassembly: each output sample is a weighted mean of k x k input samples; weights are predicted.

    Source: Wang et al., "CARAFE: Content-Aware ReAssembly of FEatures", ICCV 2019. Ours uses `unfold` and a matrix
    product, which needs k*k copies of the input; the input is padded with zeros.

    Args:
        num_feat: C.
        scale: s.
        kernel_size: k of the reassembly, odd.
        encoder_size: kernel of the convolution that predicts the weights, odd.
        num_compressed: input channels of that convolution.
    """

    def __init__(
        self, num_feat: int, scale: int, kernel_size: int = 5, encoder_size: int = 3, num_compressed: int = 64
    ):
        super().__init__()
        check_count("num_feat", num_feat)
        check_count("scale", scale)
        check_odd("kernel_size", kernel_size)
        check_odd("encoder_size", encoder_size)
        check_count("num_compressed", num_compressed)
        self.scale = scale
        self.kernel_size = kernel_size
        taps = kernel_size**2
        self.compressor = nn.Conv2d(num_feat, num_compressed, 1)
        self.encoder = nn.Conv2d(num_compressed, taps * scale**2, encoder_size, padding=encoder_size // 2)
        nn.init.normal_(self.encoder.weight, std=1e-3)  # it starts close to equal weights
        nn.init.zeros_(self.encoder.bias)

    def forward(self, x: Tensor) -> Tensor:
        taps = self.kernel_size**2
        weights = self.encoder(self.compressor(x)).unflatten(1, (taps, -1)).softmax(1)
        patches = F.unfold(x, self.kernel_size, padding=self.kernel_size // 2).unflatten(1, (-1, taps))
        weights = weights.flatten(3).permute(0, 3, 1, 2)  # (N, h*w, k*k, s*s)
        phases = patches.permute(0, 3, 1, 2) @ weights  # (N, h*w, C, s*s)
        phases = phases.permute(0, 2, 3, 1).unflatten(3, x.shape[2:])
        return F.pixel_shuffle(phases.flatten(1, 2), self.scale)


class DySample(nn.Module):
    """Bilinear upsampling at sampling points that are shifted by predicted offsets, which start at zero.

    Source: Liu et al., "Learning to Upsample by Learning to Sample", ICCV 2023: the variant with a linear layer, then
    pixel shuffle, and a static scope factor.

    Args:
        num_feat: C.
        scale: s.
        groups: number of channel groups; the channels of a group share their offsets.
        scope: factor of the offsets, in input samples.

    Raises:
        ValueError: num_feat is not a multiple of groups.
    """

    def __init__(self, num_feat: int, scale: int, groups: int = 4, scope: float = 0.25):
        super().__init__()
        check_count("num_feat", num_feat)
        check_count("scale", scale)
        check_count("groups", groups)
        if num_feat % groups:
            raise ValueError(f"dysample needs num_feat to be a multiple of {groups}, got {num_feat}")
        self.scale = scale
        self.groups = groups
        self.scope = scope
        self.offset = nn.Conv2d(num_feat, 2 * groups * scale**2, 1)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        offset = F.pixel_shuffle(self.scope * self.offset(x), self.scale)
        offset = offset.unflatten(1, (self.groups, 2)).flatten(0, 1).movedim(1, -1)  # (N*groups, s*h, s*w, 2): x, y
        points = (self._bilinear_points(x) + offset) * (2 / offset.new_tensor([w, h])) - 1  # [-1, 1] between borders
        grouped = x.unflatten(1, (self.groups, -1)).flatten(0, 1)
        sampled = F.grid_sample(grouped, points, mode="bilinear", padding_mode="border", align_corners=False)
        return sampled.unflatten(0, (n, self.groups)).flatten(1, 2)

    def _bilinear_points(self, x: Tensor) -> Tensor:
        """Centres of the output samples, in input samples from the top left border: (s*h, s*w, 2)."""
        rows, columns = (
            (torch.arange(side * self.scale, dtype=x.dtype, device=x.device) + 0.5) / self.scale for side in x.shape[2:]
        )
        return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
