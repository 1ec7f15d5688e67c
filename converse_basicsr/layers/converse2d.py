"""Converse2D as a layer with a learnable psf."""

import torch
from torch import Tensor, nn

from ..ops import converse2d
from ..ops.blockwise import fits_block, stays_in_block
from ..ops.borders import PADDING_MODES, Margins, check_size, fast_margin, pad
from ..ops.compiling import sizes
from ..ops.filter_bank import FILTER_PRIORS, apply_filter_bank, build_filter_bank
from ..ops.prior import check_prior
from ..ops.transforms import Torus
from .kept_filter import KeptFilter

PSF_INITS = ("softmax", "uniform", "gaussian")


def check_flag(name: str, value: bool) -> None:
    """Raise ValueError unless the value is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")


class Converse2D(nn.Module):
    """Reverse convolution: pads y, solves for x on the padded torus, and crops.

    In place of a (transposed) depthwise convolution: :func:`converse_basicsr.converse2d` with a psf and a
    weight lam = sigmoid(bias - 9) + eps per channel, both learned.

    Source: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025.

    Args:
        in_channels: C.
        out_channels: C again: the operator is depthwise.
        kernel_size: k of the k x k psf.
        scale: s, the upsampling factor.
        padding: samples added on all four sides before solving.
        padding_mode: 'circular', 'reflect', 'replicate' or 'constant' (zeros).
        eps: the least lam.
        prior: x0: 'nearest' (the paper's), 'zero', 'bilinear' or 'bicubic' upsampling of y.
        psf_init: 'softmax' (the paper's: softmax over the taps of a standard normal draw, so non-negative and
            of sum 1), or, for ablations, 'uniform' U(-1/k, 1/k) or 'gaussian' N(0, 1/k^2).
        learn_lam: False keeps bias, and so lam, as it is: in the state dict, but without a gradient.
        fast_size: pad up to a few samples more at the bottom and right, so that no side of the padded y has a prime
            factor above 7, which FFTs are fastest at. The solution on that larger torus differs slightly. Without
            effect where kernel_size <= scale (no FFT), and on a side too short for 'circular' or 'reflect' to fill
            the larger margin.

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
        if out_channels != in_channels:
            raise ValueError(f"Converse2D is depthwise: out_channels ({out_channels}) must be {in_channels}")
        for name, value, least in (("kernel_size", kernel_size, 1), ("scale", scale, 1), ("padding", padding, 0)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {', '.join(PADDING_MODES)}, got {padding_mode!r}")
        if psf_init not in PSF_INITS:
            raise ValueError(f"psf_init must be one of {', '.join(PSF_INITS)}, got {psf_init!r}")
        check_flag("learn_lam", learn_lam)
        check_flag("fast_size", fast_size)
        if eps <= 0:
            raise ValueError(f"eps must be > 0, got {eps!r}")
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
        self.kept_filter = KeptFilter()
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
            self.kept_filter.forget()
        return super().train(mode)

    @property
    def lam(self) -> Tensor:
        """The weight of the prior, (1, C, 1, 1)."""
        return torch.sigmoid(self.bias - 9.0) + self.eps

    def margins(self, size: tuple[int, int]) -> Margins:
        """What is added around a y of size (h, w) before solving."""
        fast = self.fast_size and not fits_block(self.weight, self.scale)
        bottom, right = (fast_margin(n, self.padding, self.padding_mode) if fast else self.padding for n in size)
        return Margins(left=self.padding, right=right, top=self.padding, bottom=bottom)

    def forward(self, y: Tensor, x0: Tensor | None = None) -> Tensor:
        """Args: y (N, C, h, w); x0 (N, C, s*h, s*w), a prior in place of the one named at construction."""
        self._check_input(y, x0)
        if x0 is None and self.prior in FILTER_PRIORS:
            if stays_in_block(self.weight, self.scale):  # neither torus nor padding matters
                return converse2d(y, self.weight, self.lam, self.scale, self.prior)
            if not fits_block(self.weight, self.scale):
                return self._filter(y)
        margins = self.margins(sizes(y)[-2:])
        fine = margins.scaled(self.scale)
        prior = self.prior if x0 is None else pad(x0, fine, self.padding_mode)
        return fine.crop(converse2d(pad(y, margins, self.padding_mode), self.weight, self.lam, self.scale, prior))

    def _check_input(self, y: Tensor, x0: Tensor | None) -> None:
        if y.dim() != 4 or not y.is_floating_point() or y.shape[1] != self.in_channels:
            raise ValueError(
                f"y must be a floating-point (N, {self.in_channels}, h, w) tensor, got {y.dtype} {tuple(y.shape)}"
            )
        n, c, h, w = y.shape
        if x0 is not None and x0.shape != (n, c, h * self.scale, w * self.scale):
            raise ValueError(f"x0 must be {(n, c, h * self.scale, w * self.scale)}, got {tuple(x0.shape)}")
        check_size(y, self.padding, self.padding_mode)

    def _filter(self, y: Tensor) -> Tensor:
        """A prior made from y: one bank of filters, for all samples."""
        dtype = torch.promote_types(torch.promote_types(y.dtype, self.weight.dtype), torch.float32)
        batch, _, *size = sizes(y)
        margins = self.margins(size)
        torus = Torus(margins.around(size), packed=batch % 2 == 0)

        def build() -> Tensor:
            return build_filter_bank(self.weight.to(dtype), self.lam.to(dtype), torus, self.scale, self.prior)

        with torch.autocast(y.device.type, enabled=False):
            key = torus, dtype, self.scale, self.prior, self.eps
            filters = self.kept_filter.get(key, self.weight, self.bias, build)
            x = apply_filter_bank(y.to(dtype), filters, torus, self.scale, margins, self.padding_mode)
        return x.to(y.dtype)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, kernel_size={self.kernel_size}, scale={self.scale}, padding={self.padding}, "
            f"padding_mode={self.padding_mode!r}, eps={self.eps}, prior={self.prior!r}, psf_init={self.psf_init!r}, "
            f"learn_lam={self.learn_lam}, fast_size={self.fast_size}"
        )
