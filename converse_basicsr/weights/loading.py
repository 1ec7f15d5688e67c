"""load_network: from a file of weights to a network that is ready to use."""

import importlib.util
import os
from pathlib import Path

import torch
from torch import nn

from ..errors import UserError, plain
from .building import Built, build_ours, is_ours
from .by_basicsr import build_of_basicsr
from .by_spandrel import build_by_spandrel
from .locating import locate
from .reading import Weights, read_weights

IN_FILE = "the file"


def load_network(
    weights: str | os.PathLike, opt: str | os.PathLike | dict | None = None, device: str | torch.device = "cpu"
) -> nn.Module:
    """A network with its weights, in evaluation mode, with attributes ``in_channels`` and ``scale``.

    ``inference.calling.takes_kernel(network)`` says whether its forward wants the blur kernel.

    Args:
        weights: a .pth, .safetensors or .onnx file (of `basicsr export`), a folder with model.safetensors, or the name
            of published weights (`basicsr weights list`), which are downloaded if they are not here yet.
        opt: None: the options that the file carries, else those that its keys and shapes tell, with the published
            values for what they do not tell. Or an option file with network_g, or a dict as network_g has it.
        device: for the network.

    Raises:
        UserError: the file cannot be read or has the weights of no known network, or they do not fit.
    """
    return load_described(weights, opt, device)[0]


def load_described(
    weights: str | os.PathLike, opt: str | os.PathLike | dict | None = None, device: str | torch.device = "cpu"
) -> tuple[nn.Module, str]:
    """`load_network`, and one line that says which network it is and where its options are from."""
    if Path(weights).suffix.lower() == ".onnx":
        return _load_onnx(Path(weights), opt, device)
    built = build(read_weights(locate(weights)), opt)
    try:
        network = built.network.eval().to(device)
    except (RuntimeError, AssertionError) as error:  # torch raises either where a device is missing
        raise UserError(f"device {device}: {str(error).splitlines()[0]}") from error
    return network, built.words


def _load_onnx(path: Path, opt: str | os.PathLike | dict | None, device: str | torch.device) -> tuple[nn.Module, str]:
    from ..onnx_files.running import load_onnx

    if opt is not None:
        raise UserError(f"{plain(path)}: an ONNX file has its network; leave --opt (opt=) out")
    if torch.device(device).type != "cpu":
        raise UserError(f"{plain(path)}: ONNX files run on the CPU, got device {device}")
    network = load_onnx(path)
    scale = f" x{network.scale}" if network.scale > 1 else ""
    size = "any size" if network.size is None else "{}x{}".format(*network.size)
    return network, f"{network.network_type}{scale}, for images of {size}, by onnxruntime"


def build(weights: Weights, opt: str | os.PathLike | dict | None) -> Built:
    """The network that a file is for, as `load_network` finds it."""
    given, scale, source = options_for(weights, opt)
    if given is None or is_ours(given):
        built = build_ours(weights, given, source) or build_by_spandrel(weights)
    elif opt is None and importlib.util.find_spec("basicsr") is None:
        built = build_by_spandrel(weights)
    else:
        built = build_of_basicsr(weights, given, scale, source)
    if built is None:
        first = ", ".join(list(weights.state_dict)[:3])
        raise UserError(
            f"{weights.name}: no network has these {len(weights.state_dict)} keys ({first}, ...); give the option file "
            "of its training (--opt FILE), or install spandrel, which knows more networks"
        )
    return built


def options_for(weights: Weights, opt: str | os.PathLike | dict | None) -> tuple[dict | None, int | None, str]:
    """The network's section, the option file's scale, and where they are from."""
    if opt is None:
        return weights.options, None, IN_FILE
    if isinstance(opt, dict):
        section, scale, source = opt, None, "opt"
    else:
        from ..options.reading import read_options

        options = read_options(str(opt))
        section, scale, source = options.get("network_g"), options.get("scale"), plain(opt)
    if not isinstance(section, dict) or not isinstance(section.get("type"), str):
        raise UserError(f"{source}: network_g needs a type")
    return section, scale if isinstance(scale, int) else None, source
