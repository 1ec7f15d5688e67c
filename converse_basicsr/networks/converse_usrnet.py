"""Converse-USRNet: deblurring and super-resolution with a known blur kernel."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import ConverseBlock
from ..layers.converse2d import check_flag
from ..layers.pointwise import PointwiseConv2d
from ..layers.spatial import check_spatial_op
from ..ops import converse2d
from ..ops.blur import depthwise
from ..ops.prior import prior_image, regularisation
from .denoiser import Denoiser
from .initialisation import invert_pointwise


class KernelNet(nn.Module):
    """Embed a blur kernel: (N, 1, k, k) -> (N, num_embed, k, k)."""

    def __init__(self, psf_size: int, num_embed: int, num_hidden: int = 64):
        super().__init__()
        self.psf_size = psf_size
        self.num_embed = num_embed
        self.fc1 = nn.Linear(psf_size**2, num_hidden)
        self.fc2 = nn.Linear(num_hidden, num_hidden)
        self.fc3 = nn.Linear(num_hidden, num_embed * psf_size**2)

    def forward(self, kernel: Tensor) -> Tensor:
        embedding = F.gelu(self.fc2(F.gelu(self.fc1(kernel.flatten(1)))))
        return self.fc3(embedding).reshape(kernel.shape[0], self.num_embed, self.psf_size, self.psf_size)


@torch.no_grad()
def start_at_delta(kernelnet: KernelNet, convs: nn.ModuleList) -> None:
    """Initialise the embedding so that every data step gets a kernel near the delta, for any blur kernel."""
    delta = torch.zeros(kernelnet.num_embed, kernelnet.psf_size, kernelnet.psf_size)
    delta[:, kernelnet.psf_size // 2, kernelnet.psf_size // 2] = 1
    kernelnet.fc3.weight.mul_(0.1)
    kernelnet.fc3.bias.copy_(delta.flatten())
    for conv in convs:
        conv.weight.mul_(0.2).add_(1 / kernelnet.num_embed)
        conv.bias.zero_()


class DataStep(nn.Module):
    """Converse2D's closed form with a kernel per sample and channel; alpha (1, C, 1, 1) sets the weight of the prior.

    In the depthwise-conv variants the same kernel is applied to the upsampled features by a depthwise (transposed)
    convolution, and alpha is a bias that is always learned.
    """

    def __init__(self, num_feat: int, eps: float, prior: str, learn_lam: bool, spatial_op: str):
        super().__init__()
        check_spatial_op(spatial_op)
        check_flag("learn_lam", learn_lam)
        self.eps = eps
        self.prior = prior
        self.spatial_op = spatial_op
        self.alpha = nn.Parameter(torch.zeros(1, num_feat, 1, 1), requires_grad=learn_lam or spatial_op != "converse")

    @property
    def lam(self) -> Tensor:
        """The weight of the prior, (1, C, 1, 1)."""
        return regularisation(self.alpha, self.eps)

    def forward(self, y: Tensor, psf: Tensor, scale: int) -> Tensor:
        if self.spatial_op == "converse":
            return converse2d(y, psf, self.lam, scale, self.prior)
        y = prior_image(y, scale, "nearest")
        psf = psf if self.spatial_op == "conv" else psf.flip(-2, -1)
        k = psf.shape[-1]
        y = F.pad(y, (k // 2, (k - 1) // 2, k // 2, (k - 1) // 2), "circular")
        return depthwise(F.conv2d, y, psf) + self.alpha


class ConverseUSRNet(nn.Module):
    """Unrolled restoration in feature space: data steps conditioned on the blur kernel, and a shared prior step.

    The kernels of the data steps are initialised near a delta, and the last convolution as the inverse of the first:
    an untrained network nearly returns its (upsampled) input. Random kernels would scramble it and slow training down.

    Source: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025. The
    defaults are the published network.

    Args:
        num_in_ch (int): Channels of the input. Default: 3.
        num_out_ch (int): Channels of the output. Default: 3.
        num_feat (int): Channels of the features. Default: 64.
        num_block (int): Number of blocks of the prior step. Default: 7.
        num_iterations (int): Number of data and prior steps. Default: 5.
        kernel_size (int): Side k of the blocks' kernels. Default: 3.
        padding (int | None): Padding in the blocks; None means k - 1. Default: None.
        padding_mode (str): 'circular', 'reflect', 'replicate' or 'constant', in the blocks.
            Default: 'circular'.
        eps (float): Lower bound of the regularisation weights in the blocks. Default: 1e-5.
        psf_size (int): Side of the blur kernel. Default: 7.
        num_embed (int): Channels of the embedded kernel. Default: 16.
        data_eps (float): Lower bound of the regularisation weights of the data steps. Default: 1e-3.
        prior, psf_init, learn_lam, fast_size: Options of Converse2D in blocks and data steps.
        spatial_op (str): 'converse', or a depthwise-conv variant with the same number of parameters: 'conv' or
            'conv_transpose', see layers/spatial.py. Default: 'converse'.
        use_checkpoint (bool): Compute the blocks again in the backward instead of keeping their features: less memory
            and more time in training. Default: False.
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
        psf_size: int = 7,
        num_embed: int = 16,
        data_eps: float = 1e-3,
        prior: str = "nearest",
        psf_init: str = "softmax",
        learn_lam: bool = True,
        fast_size: bool = False,
        spatial_op: str = "converse",
        use_checkpoint: bool = False,
    ):
        super().__init__()
        self.in_channels = num_in_ch
        self.scale = 1  # without the argument scale
        options = padding, padding_mode, eps, prior, psf_init, learn_lam, fast_size, spatial_op
        block = partial(
            ConverseBlock, num_feat, kernel_size, *options, residual_gain=True, use_checkpoint=use_checkpoint
        )
        self.psf_size = psf_size
        self.conv1 = PointwiseConv2d(num_in_ch, num_feat)
        self.kernelnet = KernelNet(psf_size, num_embed)
        self.convs = nn.ModuleList([PointwiseConv2d(num_embed, num_feat) for _ in range(num_iterations)])
        self.d = DataStep(num_feat, data_eps, prior, learn_lam, spatial_op)
        self.p = Denoiser(block() for _ in range(num_block))
        self.conv2 = PointwiseConv2d(num_feat, num_out_ch)
        start_at_delta(self.kernelnet, self.convs)
        invert_pointwise(self.conv1, self.conv2)

    def forward(self, lq: Tensor, kernel: Tensor, scale: int = 1) -> Tensor:
        """The restored image.

        Args:
            lq: (N, num_in_ch, h, w) in [0, 1], blurred and decimated.
            kernel: the blur kernel (N, 1, psf_size, psf_size) with sum 1.
            scale: the decimation factor.

        Returns:
            (N, num_out_ch, scale*h, scale*w).

        Raises:
            ValueError: the kernel has another shape.
        """
        expected = (lq.shape[0], 1, self.psf_size, self.psf_size)
        if kernel.shape != expected:
            raise ValueError(f"kernel must be {expected} for this network and batch, got {tuple(kernel.shape)}")
        embedding = self.kernelnet(kernel)
        x = self.conv1(lq)
        for i, conv in enumerate(self.convs):
            x = self.d(x, conv(embedding), scale if i == 0 else 1)
            x = self.p(x)
        return self.conv2(x)
