"""A deconvolution that is not learned, then a residual network: the baseline of Converse-USRNet."""

import torch
from torch import Tensor, nn

from ..arguments import check_above_zero, check_count
from ..ops.prior import check_prior
from ..ops.steps import converse2d_in_steps
from .upsampler_srresnet import ResidualBlock


class DeconvolutionResNet(nn.Module):
    """Converse2D's closed form on the image, with the blur kernel and a fixed weight, then plain residual blocks.

    The last convolution starts at zero: an untrained network is the deconvolution alone.

    Args:
        num_in_ch (int): Channels of the input and output. Default: 3.
        num_feat (int): Channels of the features. Default: 64.
        num_block (int): Number of residual blocks of two 3x3 convolutions, 0 or more. Default: 7.
        lam (float): Weight of the prior in the deconvolution, above 0. Default: 0.05.
        prior (str): 'nearest', 'zero', 'bilinear' or 'bicubic', see Converse2D. Default: 'nearest'.
        steps (int): How often the deconvolution is applied, 1 or more; the prior of a further step is the solution so
            far, smoothed. Default: 1.

    Raises:
        ValueError: an argument is not valid; names it.
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_feat: int = 64,
        num_block: int = 7,
        lam: float = 0.05,
        prior: str = "nearest",
        steps: int = 1,
    ):
        super().__init__()
        check_count("num_in_ch", num_in_ch)
        check_count("num_feat", num_feat)
        check_count("num_block", num_block, least=0)
        check_prior(prior)
        check_above_zero("lam", lam)
        check_count("steps", steps)
        self.in_channels = num_in_ch
        self.scale = 1  # without the argument scale
        self.lam = lam
        self.prior = prior
        self.steps = steps
        self.conv_first = nn.Conv2d(num_in_ch, num_feat, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(num_feat) for _ in range(num_block)))
        self.conv_last = nn.Conv2d(num_feat, num_in_ch, 3, padding=1)
        nn.init.zeros_(self.conv_last.weight)
        nn.init.zeros_(self.conv_last.bias)

    def forward(self, lq: Tensor, kernel: Tensor, scale: int = 1) -> Tensor:
        """The restored image.

        Args:
            lq: (N, num_in_ch, h, w) in [0, 1], blurred and decimated.
            kernel: the blur kernel (N, 1, k, k) with sum 1.
            scale: the decimation factor.

        Returns:
            (N, num_in_ch, scale*h, scale*w).
        """
        psf = kernel.expand(-1, lq.shape[1], -1, -1)
        lam = lq.new_full((1, lq.shape[1], 1, 1), self.lam)
        x = converse2d_in_steps(lq, psf, lam, scale, self.prior, self.steps)
        return x + self.conv_last(self.body(torch.relu(self.conv_first(x))))
