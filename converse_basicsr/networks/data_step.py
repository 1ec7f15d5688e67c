"""The data step of the unrolled networks that know their blur kernel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import check_flag
from ..layers.spatial import check_spatial_op
from ..ops import converse2d
from ..ops.blur import depthwise
from ..ops.prior import prior_image, regularisation
from .noise_level import noise_level

REFERENCE_NOISE = 2.55 / 255  # noise level at which adapt_to_noise leaves the regularisation weights as they are
LEAST_NOISE_RATIO = 0.01


def estimate_noise_ratio(lq: Tensor) -> Tensor:
    """The estimated variance of an image's noise, as a multiple of that of REFERENCE_NOISE: (N, 1, 1, 1)."""
    return (noise_level(lq) / REFERENCE_NOISE).square().clamp(min=LEAST_NOISE_RATIO)


class DataStep(nn.Module):
    """Converse2D's closed form with a kernel per sample and channel; alpha (1, C, 1, 1) sets the weight of the prior.

    The prior x0 is a tensor (N, C, s*h, s*w), or made from y by the option prior.

    In the depthwise-conv variants the same kernel is applied to the upsampled features by a depthwise (transposed)
    convolution, and alpha is a bias that is always learned.

    With adapt_to_noise, forward also takes noise_ratio (N, 1, 1, 1), and the weight of channel c is multiplied by
    noise_ratio ** noise_exponent[c]. The exponents are learned and start evenly spread from 1 (in proportion to the
    variance of the noise) to 0 (the same weight for all noise). So a noisy image is inverted with many weights, from
    smooth to sharp, and the blocks that follow combine the results.
    """

    def __init__(
        self, num_feat: int, eps: float, prior: str, learn_lam: bool, spatial_op: str, adapt_to_noise: bool = False
    ):
        super().__init__()
        check_spatial_op(spatial_op)
        check_flag("learn_lam", learn_lam)
        self.eps = eps
        self.prior = prior
        self.spatial_op = spatial_op
        self.alpha = nn.Parameter(torch.zeros(1, num_feat, 1, 1), requires_grad=learn_lam or spatial_op != "converse")
        if adapt_to_noise:
            exponents = torch.linspace(1, 0, num_feat).reshape(1, -1, 1, 1)
            self.noise_exponent = nn.Parameter(exponents, requires_grad=learn_lam)

    @property
    def lam(self) -> Tensor:
        """The weight of the prior, (1, C, 1, 1)."""
        return regularisation(self.alpha, self.eps)

    def forward(
        self, y: Tensor, psf: Tensor, scale: int, x0: Tensor | None = None, noise_ratio: Tensor | None = None
    ) -> Tensor:
        if self.spatial_op == "converse":
            lam = self.lam if noise_ratio is None else self.lam * noise_ratio**self.noise_exponent
            return converse2d(y, psf, lam, scale, self.prior if x0 is None else x0)
        y = prior_image(y, scale, "nearest")
        psf = psf if self.spatial_op == "conv" else psf.flip(-2, -1)
        k = psf.shape[-1]
        y = F.pad(y, (k // 2, (k - 1) // 2, k // 2, (k - 1) // 2), "circular")
        return depthwise(F.conv2d, y, psf) + self.alpha
