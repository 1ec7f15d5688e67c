"""ConverseNet: blind deblurring."""

from torch import Tensor, nn

from basicsr.utils.registry import ARCH_REGISTRY

from ..layers import ConverseBlock
from .denoiser import Denoiser


@ARCH_REGISTRY.register()
class ConverseNet(nn.Module):
    """The same Converse blocks applied several times between two 1x1 convolutions.

    Source: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025. The
    defaults are the published network.

    Args:
        num_in_ch (int): Channels of the input. Default: 3.
        num_out_ch (int): Channels of the output. Default: 3.
        num_feat (int): Channels of the features. Default: 64.
        num_block (int): Number of blocks. Default: 7.
        num_iterations (int): How often the blocks are applied, with shared weights. Default: 5.
        kernel_size (int): k of the k x k psfs. Default: 3.
        padding (int | None): Padding of Converse2D; None means k - 1. Default: None.
        padding_mode (str): 'circular', 'reflect', 'replicate' or 'constant'. Default: 'circular'.
        eps (float): The least regularisation weight. Default: 1e-5.
        spatial_op (str): 'converse', or a rival of equal parameter count in its place: 'conv' (depthwise
            convolution; of padding and eps it heeds the padding_mode alone) or 'conv_transpose' (depthwise
            transposed convolution; heeds none). Default: 'converse'.

    Shape: (N, num_in_ch, H, W) in [0, 1] -> (N, num_out_ch, H, W).
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_block: int = 7,
        num_iterations: int = 5,
        kernel_size: int = 3,
        padding: int | None = None,
        padding_mode: str = "circular",
        eps: float = 1e-5,
        spatial_op: str = "converse",
    ):
        super().__init__()
        self.num_iterations = num_iterations
        self.conv1 = nn.Conv2d(num_in_ch, num_feat, 1)
        options = (num_feat, kernel_size, padding, padding_mode, eps)
        self.p = Denoiser(ConverseBlock(*options, spatial_op=spatial_op) for _ in range(num_block))
        self.conv2 = nn.Conv2d(num_feat, num_out_ch, 1)

    def forward(self, x: Tensor) -> Tensor:
        feat = self.conv1(x)
        for _ in range(self.num_iterations):
            feat = self.p(feat)
        return self.conv2(feat)
