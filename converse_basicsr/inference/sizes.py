"""What the layers of a network say: the smallest image that they can pad, and how wide they are."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import Converse2D
from ..layers.spatial import UpsampledDepthwiseConv2d
from ..ops.padding import smallest_side


def least_side(network: nn.Module) -> int:
    """The smallest side of an image, in pixels, that the network's layers can pad."""
    if hasattr(network, "least_side"):  # of an ONNX file, which has no layers here
        return network.least_side
    sides = [1]
    for module in network.modules():
        if isinstance(module, Converse2D):
            sides.append(smallest_side(module.padding, module.padding_mode))
        elif isinstance(module, UpsampledDepthwiseConv2d):
            sides.append(smallest_side(module.kernel_size[0] // 2, module.padding_mode))
    return max(sides)


def widest(network: nn.Module) -> int:
    """The largest number of output channels of a layer, 1 for a network without weights."""
    return max((each.shape[0] for each in network.parameters() if each.dim() == 4), default=1)


def enlarged_to(x: Tensor, least: int) -> Tensor:
    """x (N, C, h, w), its last row and column repeated until both sides have `least` pixels."""
    bottom, right = (max(least - side, 0) for side in x.shape[-2:])
    return F.pad(x, (0, right, 0, bottom), "replicate") if bottom or right else x
