"""Converse-USRNet: deblurring and super-resolution with a known blur kernel."""

from functools import partial

import torch
from torch import Tensor, nn

from ..arguments import check_count, check_flag
from ..layers import ConverseBlock
from ..layers.pointwise import PointwiseConv2d
from ..ops.prior import regularisation_bias
from .data_step import DataStep, estimate_noise_ratio
from .denoiser import Denoiser
from .initialisation import invert_pointwise
from .kernel_net import KernelNet, delta, start_at_delta
from .smoothing import Smoothing

PUBLISHED_PSF_SIZE = 7
RESIDUAL_LAM = 0.05  # regularisation weight at the start with kernel_residual, where the data step really deconvolves


@torch.no_grad()
def start_at_kernel(convs: nn.ModuleList, step: "DataStep") -> None:
    """Initialise the learned corrections of the kernels as zero, and lam as RESIDUAL_LAM."""
    for conv in convs:
        conv.weight.zero_()
        conv.bias.zero_()
    step.alpha.fill_(regularisation_bias(RESIDUAL_LAM, step.eps))


class ConverseUSRNet(nn.Module):
    """Unrolled restoration in feature space: data steps conditioned on the blur kernel, and a shared prior step.

    An MLP embeds the blur kernel, and a 1x1 convolution for each data step makes its kernels from the embedding. They
    are initialised near a delta, and the last convolution as the inverse of the first: an untrained network nearly
    returns its (upsampled) input. Random kernels would scramble it and slow training down.

    With kernel_residual, the MLP makes only corrections: the first data step takes the blur kernel plus a correction
    for each channel, the later ones a delta plus a correction, scaled by (7 / psf_size)^2. They start at zero and the
    regularisation weights at 0.05, so an untrained network is the exact regularised inverse of blur and decimation.

    With reuse_input too, every data step goes back to the input: it inverts blur and decimation with the current
    features as the prior, as half-quadratic splitting does (Zhang et al., "Deep Unfolding Network for Image
    Super-Resolution", CVPR 2020, eq. 6). All data steps take the blur kernel plus a correction.

    Source: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025. The
    defaults are the published network.

    Args:
        num_in_ch (int): Channels of the input. Default: 3.
        num_out_ch (int): Channels of the output. Default: 3.
        num_feat (int): Channels of the features. Default: 64.
        num_block (int): Number of blocks of the prior step, 0 or more. Default: 7.
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
        smooth_prior (bool): Filter the features before they are the prior of a data step: 5x5 learned taps per channel,
            which start as a weak low-pass. Untrained, the network is then `inference.deconvolution.Deconvolution` in
            num_iterations steps, for the same first prior. Not in the paper; needs reuse_input. Default: False.
        adapt_to_noise (bool): Estimate the noise level of each image and multiply the regularisation weights of the
            data steps by a power of it (1 for a standard deviation of 2.55 on the 0-255 scale). The exponents are
            learned; they start at 0 to 2, evenly spread over the channels. For training with a range of noise levels.
            Not in the paper; needs spatial_op 'converse'. Default: False, as published.
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
        smooth_prior: bool = False,
        adapt_to_noise: bool = False,
    ):
        super().__init__()
        check_count("num_in_ch", num_in_ch)
        check_count("num_out_ch", num_out_ch)
        check_count("num_feat", num_feat)
        check_count("num_block", num_block, least=0)
        check_count("num_iterations", num_iterations)
        check_count("psf_size", psf_size)
        check_count("num_embed", num_embed)
        check_flag("kernel_residual", kernel_residual)
        check_flag("reuse_input", reuse_input)
        check_flag("smooth_prior", smooth_prior)
        check_flag("adapt_to_noise", adapt_to_noise)
        if reuse_input and not kernel_residual:
            raise ValueError("reuse_input needs kernel_residual: true")
        if smooth_prior and not reuse_input:
            raise ValueError("smooth_prior needs reuse_input: true")
        for name, chosen in (("kernel_residual", kernel_residual), ("adapt_to_noise", adapt_to_noise)):
            if chosen and spatial_op != "converse":
                raise ValueError(f"{name} needs spatial_op 'converse', got {spatial_op!r}")
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
        self.d = DataStep(num_feat, data_eps, prior, learn_lam, spatial_op, adapt_to_noise)
        self.smoothing = Smoothing(num_feat) if smooth_prior else None
        self.p = Denoiser(block() for _ in range(num_block))
        self.conv2 = PointwiseConv2d(num_feat, num_out_ch)
        self.kernel_residual = kernel_residual
        # Adam changes every tap by about the same amount, so more taps would change a psf by more.
        self.correction_scale = (PUBLISHED_PSF_SIZE / psf_size) ** 2
        self.reuse_input = reuse_input
        self.adapt_to_noise = adapt_to_noise
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
            ValueError: the kernel has another shape; with adapt_to_noise, a side of the image is below 3.
        """
        expected = (lq.shape[0], 1, self.psf_size, self.psf_size)
        if kernel.shape != expected:
            raise ValueError(f"kernel must be {expected} for this network and batch, got {tuple(kernel.shape)}")
        embedding = self.kernelnet(kernel)
        ratio = estimate_noise_ratio(lq) if self.adapt_to_noise else None
        y = self.conv1(lq)
        for i, conv in enumerate(self.convs):
            psf = conv(embedding)
            if self.kernel_residual:
                psf = self.correction_scale * psf + (kernel if i == 0 or self.reuse_input else delta(kernel))
            if i == 0:
                x = self.d(y, psf, scale, None, ratio)
            elif self.reuse_input:
                x = self.d(y, psf, scale, self.smoothing(x) if self.smoothing else x, ratio)
            else:
                x = self.d(x, psf, 1, None, ratio)
            x = self.p(x)
        return self.conv2(x)
