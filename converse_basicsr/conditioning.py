"""How a network is called: image-in image-out, or conditioned on the blur kernel."""

from inspect import signature

from torch import Tensor, nn

from .errors import UserError


def takes_kernel(network: nn.Module) -> bool:
    """Whether the network is conditioned: its forward has an argument kernel."""
    return "kernel" in signature(network.forward).parameters


def restore(network: nn.Module, conditioned: bool, lq: Tensor, kernel: Tensor | None, scale: int) -> Tensor:
    """network(lq), or network(lq, kernel, scale) if it is conditioned.

    Args:
        conditioned: what takes_kernel says of the network, asked before it was wrapped for several devices.
        lq: (N, C, h, w).
        kernel: (N, 1, k, k), or None.
        scale: s.

    Raises:
        UserError: the network is conditioned and there is no kernel.
    """
    if not conditioned:
        return network(lq)
    if kernel is None:
        raise UserError("this network needs the blur kernel, which the data set does not give; BlurDataset does")
    return network(lq, kernel, scale)
