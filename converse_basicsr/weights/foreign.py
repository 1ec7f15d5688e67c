"""Networks that are not ours: BasicSR's archs, and what spandrel knows."""

import importlib.util
from inspect import signature

from torch import Tensor, nn

from ..errors import UserError
from ..files.checkpoint import misfit
from ..inference.calling import call_network
from .building import Built
from .reading import Weights

IN_CHANNELS = ("num_in_ch", "in_chans", "in_channels", "in_nc")
SCALES = ("upscale", "scale")


class ForeignNetwork(nn.Module):
    """A network of another package with the attributes of ours: in_channels and scale.

    Args:
        network: the network.
        in_channels: channels of its input.
        scale: its upscaling factor.
        window: images are padded to multiples of it.
    """

    def __init__(self, network: nn.Module, in_channels: int, scale: int, window: int = 1):
        super().__init__()
        self.network = network
        self.in_channels = in_channels
        self.scale = scale
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        return call_network(self.network, x, None, self.scale, self.window)


class SpandrelNetwork(nn.Module):
    """A model that spandrel has loaded; it pads images itself and clips the result to [0, 1]."""

    def __init__(self, descriptor):
        super().__init__()
        self.descriptor = descriptor
        self.network = descriptor.model
        self.in_channels = descriptor.input_channels
        self.scale = descriptor.scale

    def forward(self, x: Tensor) -> Tensor:
        return self.descriptor(x).clone()  # an ordinary tensor, where spandrel returns an inference tensor


def build_of_basicsr(weights: Weights, section: dict, scale: int | None, source: str) -> Built:
    """Build an arch of BasicSR's registry and load the weights.

    Args:
        weights: the file.
        section: {'type': ..., constructor options}.
        scale: the scale of the option file, for archs whose constructor has none.
        source: in words, where the section is from.

    Raises:
        UserError: BasicSR is not installed, or it has no such arch, or the options or keys do not fit.
    """
    from .. import archs  # noqa: F401 (loads BasicSR, and registers)
    from ..checks.networks import check_network

    try:
        network = check_network("network_g", section, {}, must_load=False)
    except UserError as error:
        raise UserError(f"{weights.name}: {source}: {error}") from error
    problem = misfit(network, weights.state_dict)
    if problem:
        raise UserError(f"{weights.name} does not fit {section['type']}: {problem}")
    network.load_state_dict(weights.state_dict)
    options = {name: parameter.default for name, parameter in signature(type(network)).parameters.items()} | section
    in_channels = _first(options, IN_CHANNELS, 3)
    foreign = ForeignNetwork(network, in_channels, _first(options, SCALES, scale or 1), options.get("window_size", 1))
    factor = f" x{foreign.scale}" if foreign.scale > 1 else ""
    return Built(foreign, f"BasicSR's {type(network).__name__}{factor}, as {source} says")


def build_by_spandrel(weights: Weights) -> Built | None:
    """Load what spandrel recognises; None if it is not installed or does not recognise the keys."""
    if importlib.util.find_spec("spandrel") is None:
        return None
    from ..compat import prepare_torchvision

    prepare_torchvision()
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    try:
        descriptor = ModelLoader().load_from_state_dict(weights.state_dict)
    except UnsupportedModelError:
        return None
    except Exception as error:  # a detector's mistake: any error may follow
        raise UserError(f"{weights.name}: spandrel cannot load it: {str(error).splitlines()[0]}") from error
    if not isinstance(descriptor, ImageModelDescriptor):
        raise UserError(f"{weights.name}: {descriptor.architecture.name} needs a mask beside the image")
    factor = f" x{descriptor.scale}" if descriptor.scale > 1 else ""
    return Built(SpandrelNetwork(descriptor), f"{descriptor.architecture.name}{factor}, recognised by spandrel")


def _first(options: dict, names: tuple[str, ...], otherwise: int) -> int:
    return next((options[name] for name in names if isinstance(options.get(name), int)), otherwise)
