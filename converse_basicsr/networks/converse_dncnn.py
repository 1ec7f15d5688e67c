"""Converse-DnCNN: Gaussian denoising."""

from functools import partial

from torch import Tensor, nn

from ..layers import ConverseBlock
from ..layers.pointwise import PointwiseConv2d
from .identity_start import invert_pointwise


class ConverseDnCNN(nn.Module):
    """Converse blocks between two 1x1 convolutions, without a global skip.

    The last convolution starts as the inverse of the first, so that an untrained network gives nearly its input.

    Source: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025. The
    defaults are the published network (sigma 25, grayscale).

    Args:
        num_in_ch (int): Channels of the input. Default: 1.
        num_out_ch (int): Channels of the output. Default: 1.
        num_feat (int): Channels of the features. Default: 64.
        num_block (int): Number of blocks. Default: 20.
        kernel_size (int): k of the k x k psfs. Default: 7.
        padding (int | None): Padding of Converse2D; None means k - 1. Default: None.
        padding_mode (str): 'circular', 'reflect', 'replicate' or 'constant'. Default: 'circular'.
        eps (float): The least regularisation weight. Default: 1e-5.
        prior (str): x0 of Converse2D: 'nearest' (the paper's Interp), 'zero', or 'bilinear' or 'bicubic',
            at scale 1 the same as 'nearest'. Default: 'nearest'.
        psf_init (str): How the psfs start: 'softmax' (the paper's), 'uniform' or 'gaussian'. Default: 'softmax'.
        learn_lam (bool): Whether regularisation weights are learned; False keeps them at their start, or as loaded.
            Default: True.
        fast_size (bool): Let the blocks pad a little more, to sizes that FFTs are fast at; the result then differs
            slightly. Default: False.
        spatial_op (str): 'converse', or a rival of equal parameter count in its place: 'conv' (depthwise convolution;
            of Converse2D's options it heeds kernel_size and padding_mode) or 'conv_transpose' (depthwise transposed
            convolution; heeds kernel_size). Default: 'converse'.

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
    ):
        super().__init__()
        block = partial(
            ConverseBlock,
            num_feat,
            kernel_size,
            padding=padding,
            padding_mode=padding_mode,
            eps=eps,
            prior=prior,
            psf_init=psf_init,
            learn_lam=learn_lam,
            fast_size=fast_size,
            spatial_op=spatial_op,
        )
        self.m_head = nn.Sequential(PointwiseConv2d(num_in_ch, num_feat))
        self.m_body = nn.Sequential(*[block() for _ in range(num_block)])
        self.m_tail = nn.Sequential(PointwiseConv2d(num_feat, num_out_ch))
        invert_pointwise(self.m_head[0], self.m_tail[0])

    def forward(self, x: Tensor) -> Tensor:
        return self.m_tail(self.m_body(self.m_head(x)))
