"""Images smaller than a network's padding."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import Converse2D

_EXTRA = {"circular": 0, "reflect": 1}  # these modes need so many pixels more than their padding


def least_side(network: nn.Module) -> int:
    """The smallest side of an image that the network's Converse2D layers can pad."""
    if hasattr(network, "least_side"):  # of an ONNX file, which has no layers here
        return network.least_side
    layers = (each for each in network.modules() if isinstance(each, Converse2D))
    return max((each.padding + _EXTRA.get(each.padding_mode, 1 - each.padding) for each in layers), default=1)


def enlarged_to(x: Tensor, least: int) -> Tensor:
    """x (N, C, h, w), its last row and column repeated until both sides have `least` pixels."""
    bottom, right = (max(least - side, 0) for side in x.shape[-2:])
    return F.pad(x, (0, right, 0, bottom), "replicate") if bottom or right else x
