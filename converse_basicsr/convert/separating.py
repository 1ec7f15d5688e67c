"""A convolution to many outputs as one that mixes channels, and one kernel per output channel."""

from typing import NamedTuple

import torch
from torch import Tensor

SEPARABLE = 1e-6  # energy that may be missing


class Separated(NamedTuple):
    """Factors: mix (C', K), kernels (C', T), and whether their products are the weight."""

    mix: Tensor
    kernels: Tensor
    exact: bool


@torch.no_grad()
def separate(weight: Tensor, scale: int) -> Separated:
    """The nearest product mix[o, i] * kernel[o, t] of weight (C', K, T), per output channel.

    The kernels are scaled to the norm of nearest upsampling, s, and their sums are not negative.
    """
    weight = weight.cpu().double()  # float64 is not available on every device
    energies, vectors = torch.linalg.eigh(weight.mT @ weight)
    kernels = vectors[..., -1] * scale
    kernels = kernels * torch.where(kernels.sum(-1, keepdim=True) < 0, -1.0, 1.0)
    mix = torch.einsum("okt,ot->ok", weight, kernels) / scale**2
    missing = energies.sum(-1) - energies[..., -1]
    return Separated(mix, kernels, bool((missing <= SEPARABLE * energies.sum(-1)).all()))
