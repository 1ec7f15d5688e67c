"""The prior x0, which the solution is regularised towards."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .dispatch import needs_real_transforms, without_autocast

PRIORS = ("nearest", "zero", "bilinear", "bicubic")

Prior = Tensor | str


def regularisation(bias: Tensor, eps: float) -> Tensor:
    """lam = sigmoid(bias - 9) + eps, the weight of the prior (Huang et al., ICCV 2025)."""
    if needs_real_transforms(bias):  # onnxruntime's sigmoid has an absolute error of 1e-7: too much for 1e-4
        return 1 / (1 + torch.exp(9.0 - bias)) + eps
    return torch.sigmoid(bias - 9.0) + eps


def regularisation_bias(lam: float, eps: float) -> float:
    """The bias that gives this weight, lam in (eps, 1 + eps)."""
    return 9.0 + math.log((lam - eps) / (1 - (lam - eps)))


def check_prior(x0: Prior) -> None:
    """Raise ValueError unless x0 is a tensor or one of PRIORS."""
    if not isinstance(x0, Tensor) and x0 not in PRIORS:
        raise ValueError(f"prior {x0!r} is not known; it must be one of {', '.join(PRIORS)}, or a tensor")


def prior_image(y: Tensor, scale: int, x0: Prior) -> Tensor:
    """The prior on the fine grid, (N, C, s*h, s*w): made from y (N, C, h, w) by name, or the given tensor."""
    check_prior(x0)
    if isinstance(x0, Tensor):
        return x0
    if x0 == "zero":
        return y.new_zeros(*y.shape[:-2], y.shape[-2] * scale, y.shape[-1] * scale)
    if scale == 1:
        return y
    if x0 == "nearest":
        n, c, h, w = y.shape
        return y[..., :, None, :, None].expand(n, c, h, scale, w, scale).reshape(n, c, h * scale, w * scale)
    with without_autocast(y):
        return F.interpolate(y, scale_factor=scale, mode=x0, align_corners=False)
