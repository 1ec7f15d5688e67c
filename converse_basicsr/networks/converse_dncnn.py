"""Converse-DnCNN: Gaussian denoising."""

from functools import partial

from torch import Tensor, nn

from ..arguments import check_count
from ..layers import ConverseBlock
from ..layers.pointwise import PointwiseConv2d
from .initialisation import invert_pointwise


class ConverseDnCNN(nn.Module):
    """Converse blocks between two 1x1 convolutions, without a global skip.

    The last convolution is initialised as the inverse of the first: an untrained network nearly returns its input.

    Source: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025. The
    defaults are the published network (sigma 25, grayscale).

    Args:
        num_in_ch (int): Channels of the input. Default: 1.
        num_out_ch (int): Channels of the output. Default: 1.
        num_feat (int): Channels of the features. Default: 64.
        num_block (int): Number of blocks, 0 or more. Default: 20.
        kernel_size (int): Side k of the kernels. Default: 7.
        padding (int | None): Padding of Converse2D; None means k - 1. Default: None.
        padding_mode (str): 'circular', 'reflect', 'replicate' or 'constant'. Default: 'circular'.
        eps (float): Lower bound of the regularisation weights. Default: 1e-5.
        prior, psf_init, learn_lam, fast_size: Options of Converse2D.
        spatial_op (str): 'converse', or a depthwise-conv variant with the same number of parameters: 'conv' or
            'conv_transpose', see layers/spatial.py. Default: 'converse'.
        use_checkpoint (bool): Compute the blocks again in the backward instead of keeping their features: less memory
            and more time in training. Default: False.

    Shape: (N, num_in_ch, H, W) in [0, 1] -> (N, num_out_ch, H, W).
    """

    def __init__(
        self,
        num_in_ch: int = 1,
        num_out_ch: int = 1,
        num_feat: int = 64,
        num_block: int = 20,
        kernel_size: int = 7,
        padding: int | None = None,
        padding_mode: str = "circular",
        eps: float = 1e-5,
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
        self.in_channels = num_in_ch
        self.scale = 1
        options = padding, padding_mode, eps, prior, psf_init, learn_lam, fast_size, spatial_op
        block = partial(ConverseBlock, num_feat, kernel_size, *options, use_checkpoint=use_checkpoint)
        self.m_head = nn.Sequential(PointwiseConv2d(num_in_ch, num_feat))
        self.m_body = nn.Sequential(*[block() for _ in range(num_block)])
        self.m_tail = nn.Sequential(PointwiseConv2d(num_feat, num_out_ch))
        invert_pointwise(self.m_head[0], self.m_tail[0])

    def forward(self, x: Tensor) -> Tensor:
        return self.m_tail(self.m_body(self.m_head(x)))
