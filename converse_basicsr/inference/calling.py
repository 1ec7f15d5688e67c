"""Calling a network: with the blur kernel if it takes one, on an image padded to its windows."""

from inspect import signature

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from ..errors import UserError


def takes_kernel(network: nn.Module) -> bool:
    """Whether the network's forward has an argument named kernel."""
    if isinstance(network, (DataParallel, DistributedDataParallel)):
        network = network.module
    return "kernel" in signature(network.forward).parameters


def pad_to_window(lq: Tensor, window: int) -> Tensor:
    """Pad (N, C, h, w) at the bottom and right until h and w are multiples of the window.

    By reflection, as in BasicSR's SwinIRModel; a side too short to reflect repeats its last row or column.
    """
    height, width = lq.shape[-2:]
    bottom, right = -height % window, -width % window
    if bottom:
        lq = F.pad(lq, (0, 0, 0, bottom), "reflect" if bottom < height else "replicate")
    if right:
        lq = F.pad(lq, (0, right, 0, 0), "reflect" if right < width else "replicate")
    return lq


def call_network(network: nn.Module, lq: Tensor, kernel: Tensor | None, scale: int, window: int = 1) -> Tensor:
    """network(lq), or network(lq, kernel, scale) if its forward has an argument named kernel.

    Args:
        lq: (N, C, h, w).
        kernel: (N, 1, k, k), or None.
        scale: s.
        window: the image is padded to multiples of it, and the result is cropped.

    Returns:
        (N, C', s*h, s*w).

    Raises:
        UserError: the network takes a kernel and there is none.
    """
    padded = pad_to_window(lq, window)
    if takes_kernel(network):
        if kernel is None:
            raise UserError(
                "this network needs the blur kernel, and the data set has none; use BlurDataset or degradation: Blur"
            )
        output = network(padded, kernel, scale)
    else:
        output = network(padded)
    bottom, right = (scale * (padded.shape[axis] - lq.shape[axis]) for axis in (-2, -1))
    return output[..., : output.shape[-2] - bottom, : output.shape[-1] - right]
