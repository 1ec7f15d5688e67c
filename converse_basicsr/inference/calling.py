"""How a network is called: image-in image-out or conditioned on the blur kernel, and on what sizes."""

from inspect import signature

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError


def takes_kernel(network: nn.Module) -> bool:
    """Whether the network is conditioned: its forward has an argument kernel."""
    return "kernel" in signature(network.forward).parameters


def pad_to_window(lq: Tensor, window: int) -> Tensor:
    """Pad (N, C, h, w) by reflection at the bottom and right, until both sides are multiples of the window.

    Raises:
        ValueError: the image is too small for it.
    """
    height, width = lq.shape[-2:]
    bottom, right = -height % window, -width % window
    if bottom >= height or right >= width:
        raise ValueError(f"an image of {height} x {width} is too small to be padded to a multiple of {window}")
    return F.pad(lq, (0, right, 0, bottom), "reflect") if bottom or right else lq


def restore(
    network: nn.Module, conditioned: bool, lq: Tensor, kernel: Tensor | None, scale: int, window: int = 1
) -> Tensor:
    """network(lq), or network(lq, kernel, scale) if it is conditioned.

    Args:
        conditioned: what takes_kernel says of the network, asked before it was wrapped for several devices.
        lq: (N, C, h, w).
        kernel: (N, 1, k, k), or None.
        scale: s.
        window: the image is padded to multiples of it, and the margin cut off the result.

    Raises:
        UserError: the network is conditioned and there is no kernel.
        ValueError: the image is too small for the window.
    """
    if conditioned and kernel is None:
        raise UserError("this network needs the blur kernel, which the data set does not give; BlurDataset does")
    padded = pad_to_window(lq, window)
    output = network(padded, kernel, scale) if conditioned else network(padded)
    bottom, right = (scale * (padded.shape[axis] - lq.shape[axis]) for axis in (-2, -1))
    return output[..., : output.shape[-2] - bottom, : output.shape[-1] - right]
