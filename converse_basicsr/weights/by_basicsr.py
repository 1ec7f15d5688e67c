"""Networks of BasicSR's registry: built as a section of an option file says, and loaded from a file of weights."""

import inspect

import psutil
import torch
from torch import Tensor, nn

from ..errors import UserError
from ..files.checkpoint import misfit
from ..inference.calling import call_network
from ..options.constructors import check_options, check_type, with_defaults
from .building import Built
from .reading import Weights
from .spandrel_arch import Spandrel

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


def build_arch(key: str, section: dict) -> nn.Module:
    """Build an arch of BasicSR's registry as a section of an option file says, without its weights.

    Args:
        key: the section's place, for messages: network_g, ...
        section: {'type': ..., constructor options}.

    Raises:
        UserError: the type, an option or a value does not fit, or the network is larger than the memory.
    """
    from basicsr.utils.registry import ARCH_REGISTRY

    arch = check_type(f"{key}:type", section.get("type"), ARCH_REGISTRY, "arch")
    if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(arch).parameters.values()):
        check_options(key, section, arch)
    options = {name: value for name, value in section.items() if name != "type"}
    if arch is not Spandrel:  # it reads a file, whose size is limited
        _check_size(key, arch, options)
    try:
        return arch(**options)
    except Exception as error:  # a constructor may raise any exception over a bad value
        raise UserError(f"{key}: {arch.__name__}: {error}") from error


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

    try:
        network = build_arch("network_g", section)
    except UserError as error:
        raise UserError(f"{weights.name}: {source}: {error}") from error
    problem = misfit(network, weights.state_dict)
    if problem:
        raise UserError(f"{weights.name} does not fit {section['type']}: {problem}")
    network.load_state_dict(weights.state_dict)
    options = with_defaults(type(network), section)
    in_channels = _first(options, IN_CHANNELS, 3)
    foreign = ForeignNetwork(network, in_channels, _first(options, SCALES, scale or 1), options.get("window_size", 1))
    factor = f" x{foreign.scale}" if foreign.scale > 1 else ""
    return Built(foreign, f"BasicSR's {type(network).__name__}{factor}, as {source} says")


def _check_size(key: str, arch: type, options: dict) -> None:
    """Refuse a network whose parameters alone exceed the memory, before it takes the memory."""
    try:
        with torch.device("meta"):
            sizes = [parameter.numel() for parameter in arch(**options).parameters()]
    except Exception:  # a constructor that needs real numbers, or a wrong value, which building the network names
        return
    needed, total = 4 * sum(sizes), psutil.virtual_memory().total
    if needed > total:
        raise UserError(f"{key}: {arch.__name__} has {sum(sizes):,} parameters ({needed >> 30} GiB); this machine has "
                        f"{total >> 30} GiB of memory")  # fmt: skip


def _first(options: dict, names: tuple[str, ...], otherwise: int) -> int:
    return next((options[name] for name in names if isinstance(options.get(name), int)), otherwise)
