"""Converse2D as a layer with a learnable psf."""

import torch
from torch import Tensor, nn

from ..arguments import check_above_zero, check_count, check_flag
from ..ops import FilterCache, converse2d
from ..ops.padding import check_padding
from ..ops.prior import Prior, check_prior, regularisation

PSF_INITS = ("softmax", "uniform", "gaussian")


class Converse2D(nn.Module):
    """Reverse convolution: a regularised inverse of a strided depthwise convolution, with a learned psf.

    :func:`converse_basicsr.converse2d` with a psf and a weight lam = sigmoid(bias - 9) + eps per channel, both
    learned. It pads y, solves for x on the padded torus, and crops.

    Source: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025.

    Args:
        in_channels: the number C of channels.
        out_channels: C again: the operator is depthwise.
        kernel_size: k of the k x k psf.
        scale: s, the upsampling factor.
        padding: samples added on all four sides before solving.
        padding_mode: 'circular', 'reflect', 'replicate' or 'constant' (zeros).
        eps: lower bound of lam.
        prior: x0: 'nearest' (the paper's), 'zero', 'bilinear' or 'bicubic' upsampling of y.
        psf_init: 'softmax' (the paper's: softmax over the taps of standard normal samples, so non-negative and
            of sum 1), or, for ablations, 'uniform' U(-1/k, 1/k) or 'gaussian' N(0, 1/k^2).
        learn_lam: False freezes bias, and so lam: it stays in the state dict, without a gradient.
        fast_size: pad a few samples more at the bottom and right, up to a fast FFT size (no prime factor above 7).
            The result differs slightly: it is the exact solution on a larger torus. See converse2d.

    Shape: (N, C, h, w) -> (N, C, s*h, s*w).

    Raises:
        ValueError: an argument does not fit, or the input is too small for the padding.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        scale: int = 1,
        padding: int = 2,
        padding_mode: str = "circular",
        eps: float = 1e-5,
        prior: str = "nearest",
        psf_init: str = "softmax",
        learn_lam: bool = True,
        fast_size: bool = False,
    ):
        super().__init__()
        check_count("in_channels", in_channels)
        if out_channels != in_channels:
            raise ValueError(f"Converse2D is depthwise: out_channels ({out_channels}) must be {in_channels}")
        check_count("kernel_size", kernel_size)
        check_count("scale", scale)
        check_padding(padding, padding_mode)
        if psf_init not in PSF_INITS:
            raise ValueError(f"psf_init must be one of {', '.join(PSF_INITS)}, got {psf_init!r}")
        check_flag("learn_lam", learn_lam)
        check_flag("fast_size", fast_size)
        check_above_zero("eps", eps)
        check_prior(prior)
        self.in_channels = in_channels
        self.kernel_size = kernel_size
        self.scale = scale
        self.padding = padding
        self.padding_mode = padding_mode
        self.eps = eps
        self.prior = prior
        self.psf_init = psf_init
        self.learn_lam = learn_lam
        self.fast_size = fast_size
        self.weight = nn.Parameter(torch.empty(1, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(1, in_channels, 1, 1), requires_grad=learn_lam)
        self.filter_cache = FilterCache()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        k = self.kernel_size
        with torch.no_grad():
            if self.psf_init == "softmax":
                self.weight.normal_()
                self.weight.copy_(self.weight.flatten(2).softmax(-1).unflatten(-1, (k, k)))
            elif self.psf_init == "uniform":
                self.weight.uniform_(-1 / k, 1 / k)
            else:
                self.weight.normal_(0, 1 / k)
            self.bias.zero_()

    def train(self, mode: bool = True) -> "Converse2D":
        if mode:
            self.filter_cache.clear()
        return super().train(mode)

    @property
    def lam(self) -> Tensor:
        """The weight of the prior, (1, C, 1, 1)."""
        return regularisation(self.bias, self.eps)

    def forward(self, y: Tensor, x0: Tensor | None = None) -> Tensor:
        """Solve for x.

        Args:
            y: (N, C, h, w).
            x0: (N, C, s*h, s*w), a prior that replaces the one named at construction.

        Returns:
            (N, C, s*h, s*w).
        """
        if y.dim() != 4 or y.shape[1] != self.in_channels:  # converse2d would accept any C if the psf has one channel
            raise ValueError(f"y must be (N, {self.in_channels}, h, w), got {tuple(y.shape)}")
        return self.solve(y, self.weight, self.lam, self.prior if x0 is None else x0, self.filter_cache)

    def solve(
        self, y: Tensor, psf: Tensor, lam: Tensor, x0: Prior | None = None, cache: FilterCache | None = None
    ) -> Tensor:
        """converse2d with this layer's options; x0 None is its prior."""
        options = self.padding, self.padding_mode, self.fast_size
        return converse2d(y, psf, lam, self.scale, self.prior if x0 is None else x0, *options, cache)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, kernel_size={self.kernel_size}, scale={self.scale}, padding={self.padding}, "
            f"padding_mode={self.padding_mode!r}, eps={self.eps}, prior={self.prior!r}, psf_init={self.psf_init!r}, "
            f"learn_lam={self.learn_lam}, fast_size={self.fast_size}"
        )
