"""Networks: their options, their construction, and the checkpoint that is to fit them."""

import inspect
from pathlib import Path

from torch import nn

from ..checkpoint import load_file, select_state_dict
from ..errors import UserError
from .types import check_options, check_type

_SHOWN = 3


def check_network(key: str, section: dict, paths: dict, must_load: bool) -> None:
    """Build the network of ``key`` (network_g, ...) once and hold its checkpoint, if one is named, against it.

    Raises:
        UserError: type, option, value or checkpoint does not fit.
    """
    from basicsr.utils.registry import ARCH_REGISTRY

    arch = check_type(f"{key}:type", section.get("type"), ARCH_REGISTRY, "arch")
    if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(arch).parameters.values()):
        check_options(key, section, arch)
    try:
        network = arch(**{name: value for name, value in section.items() if name != "type"})
    except (ValueError, TypeError, AssertionError) as error:
        raise UserError(f"{key}: {arch.__name__}: {error}") from error
    path = paths.get(f"pretrain_{key}")
    if path is not None:
        label = key.removeprefix("network_")
        _check_checkpoint(
            f"path:pretrain_{key}",
            Path(path).expanduser(),
            network,
            paths.get(f"param_key_{label}", "params"),
            paths.get(f"strict_load_{label}", True),
        )
    elif must_load and key == "network_g" and any(True for _ in network.parameters()):
        raise UserError("path:pretrain_network_g is empty: there are no weights to test")


def _check_checkpoint(where: str, path: Path, network: nn.Module, param_key: str | None, strict: bool) -> None:
    try:
        _, loaded = select_state_dict(load_file(path), param_key)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    expected = network.state_dict()
    problems = {
        "missing": [name for name in expected if name not in loaded],
        "unexpected": [name for name in loaded if name not in expected],
        "of another shape": [
            f"{name} ({tuple(loaded[name].shape)}, the network has {tuple(value.shape)})"
            for name, value in expected.items()
            if name in loaded and loaded[name].shape != value.shape
        ],
    }
    found = [
        f"{len(names)} keys {words}: {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
        for words, names in problems.items()
        if names
    ]
    if strict and found:
        raise UserError(f"{where}: {path} does not fit {type(network).__name__}: {'; '.join(found)}")
