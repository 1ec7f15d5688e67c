"""Which networks have the Converse operator; their variants with a convolution in its place do not."""

from torch import nn

from ..classical import ConverseDeconvolution
from ..layers import Converse2D
from ..networks.data_step import DataStep


def holds_converse(network: nn.Module) -> bool:
    """Whether a layer of the network is Converse2D, or the closed form of Converse-USRNet's data steps."""
    return any(
        isinstance(module, (Converse2D, ConverseDeconvolution))
        or (isinstance(module, DataStep) and module.spatial_op == "converse")
        for module in network.modules()
    )
