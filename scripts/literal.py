"""A network with every closed form in it computed as the paper prints it."""

import copy

from torch import Tensor, nn

from converse_basicsr import Converse2D, converse2d_reference
from converse_basicsr.networks.data_step import DataStep
from converse_basicsr.ops.padding import choose_margins, pad


class LiteralConverse2D(nn.Module):
    """Converse2D by converse2d_reference."""

    def __init__(self, layer: Converse2D):
        super().__init__()
        self.layer = layer

    def forward(self, y: Tensor) -> Tensor:
        layer = self.layer
        margins = choose_margins(y.shape[-2:], layer.padding, layer.padding_mode, layer.fast_size)
        y = pad(y, margins, layer.padding_mode)
        x = converse2d_reference(y, layer.weight, layer.lam, layer.scale, layer.prior)
        return margins.scaled(layer.scale).crop(x)


class LiteralDataStep(nn.Module):
    """Converse-USRNet's data step by converse2d_reference."""

    def __init__(self, step: DataStep):
        super().__init__()
        self.step = step

    def forward(
        self, y: Tensor, psf: Tensor, scale: int, x0: Tensor | None = None, noise_weight: Tensor | None = None
    ) -> Tensor:
        lam = self.step.lam * (1 if noise_weight is None else noise_weight)
        return converse2d_reference(y, psf, lam, scale, self.step.prior if x0 is None else x0)


def on_literal_form(network: nn.Module) -> nn.Module:
    """A copy of the network, with the same parameters."""
    network = copy.deepcopy(network)
    for name, module in list(network.named_modules()):
        literal = {Converse2D: LiteralConverse2D, DataStep: LiteralDataStep}.get(type(module))
        if literal is not None:
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, literal(module))
    return network
