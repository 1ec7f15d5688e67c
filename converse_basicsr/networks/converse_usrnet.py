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
from ..ops.prior import prior_image, regularisation, regularisation_bias
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


def delta(kernel: Tensor) -> Tensor:
    """The kernel of no blur, in the shape of a blur kernel: 1 in the centre, else 0."""
    size = kernel.shape[-1]
    before, after = size // 2, (size - 1) // 2
    return F.pad(torch.ones_like(kernel[..., :1, :1]), (before, after, before, after))


@torch.no_grad()
def start_at_delta(kernelnet: KernelNet, convs: nn.ModuleList) -> None:
    """Initialise the embedding so that every data step gets a kernel near the delta, for any blur kernel."""
    size = kernelnet.psf_size
    kernelnet.fc3.weight.mul_(0.1)
    kernelnet.fc3.bias.copy_(delta(torch.zeros(kernelnet.num_embed, size, size)).flatten())
    for conv in convs:
        conv.weight.mul_(0.2).add_(1 / kernelnet.num_embed)
        conv.bias.zero_()


RESIDUAL_LAM = 0.05  # regularisation weight at the start with kernel_residual, where the data step really deconvolves


@torch.no_grad()
def start_at_kernel(convs: nn.ModuleList, step: "DataStep") -> None:
    """Initialise the learned corrections of the kernels as zero, and lam as RESIDUAL_LAM."""
    for conv in convs:
        conv.weight.zero_()
        conv.bias.zero_()
    step.alpha.fill_(regularisation_bias(RESIDUAL_LAM, step.eps))


class DataStep(nn.Module):
    """Converse2D's closed form with a kernel per sample and channel; alpha (1, C, 1, 1) sets the weight of the prior.

    The prior x0 is a tensor (N, C, s*h, s*w), or made from y by the option prior.

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

    def forward(self, y: Tensor, psf: Tensor, scale: int, x0: Tensor | None = None) -> Tensor:
        if self.spatial_op == "converse":
            return converse2d(y, psf, self.lam, scale, self.prior if x0 is None else x0)
        y = prior_image(y, scale, "nearest")
        psf = psf if self.spatial_op == "conv" else psf.flip(-2, -1)
        k = psf.shape[-1]
        y = F.pad(y, (k // 2, (k - 1) // 2, k // 2, (k - 1) // 2), "circular")
        return depthwise(F.conv2d, y, psf) + self.alpha


class ConverseUSRNet(nn.Module):
    """Unrolled restoration in feature space: data steps conditioned on the blur kernel, and a shared prior step.

    An MLP embeds the blur kernel, and a 1x1 convolution for each data step makes its kernels from the embedding. They
    are initialised near a delta, and the last convolution as the inverse of the first: an untrained network nearly
    returns its (upsampled) input. Random kernels would scramble it and slow training down.

    With kernel_residual, the MLP makes only corrections: the first data step takes the blur kernel plus a correction
    for each channel, the later ones a delta plus a correction. The corrections start at zero and the regularisation
    weights at 0.05, so an untrained network is the exact regularised inverse of blur and decimation.

    With reuse_input too, every data step goes back to the input: it inverts blur and decimation with the current
    features as the prior, as half-quadratic splitting does (Zhang et al., "Deep Unfolding Network for Image
    Super-Resolution", CVPR 2020, eq. 6). All data steps take the blur kernel plus a correction.

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
        kernel_residual (bool): Learn corrections of the blur kernel instead of the kernels of the data steps. Not in
            the paper; needs spatial_op 'converse'. Default: False, as published.
        reuse_input (bool): Every data step solves for the features of the input, with the current features as prior;
            otherwise only the first one does, and the later ones invert the current features. Not in the paper; needs
            kernel_residual. Default: False, as published.
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
        kernel_residual: bool = False,
        reuse_input: bool = False,
    ):
        super().__init__()
        check_flag("kernel_residual", kernel_residual)
        check_flag("reuse_input", reuse_input)
        if reuse_input and not kernel_residual:
            raise ValueError("reuse_input needs kernel_residual: true")
        if kernel_residual and spatial_op != "converse":
            raise ValueError(f"kernel_residual needs spatial_op 'converse', got {spatial_op!r}")
        if kernel_residual and not 0 <= data_eps < RESIDUAL_LAM:
            raise ValueError(f"with kernel_residual, data_eps must be below {RESIDUAL_LAM}, got {data_eps!r}")
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
        self.kernel_residual = kernel_residual
        self.reuse_input = reuse_input
        if kernel_residual:
            start_at_kernel(self.convs, self.d)
        else:
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
        y = self.conv1(lq)
        for i, conv in enumerate(self.convs):
            psf = conv(embedding)
            if self.kernel_residual:
                psf = psf + (kernel if i == 0 or self.reuse_input else delta(kernel))
            if i == 0:
                x = self.d(y, psf, scale)
            elif self.reuse_input:
                x = self.d(y, psf, scale, x)
            else:
                x = self.d(x, psf, 1)
            x = self.p(x)
        return self.conv2(x)
