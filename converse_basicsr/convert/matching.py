"""Which layers of a model are meant, and which models are refused."""

from collections.abc import Callable
from fnmatch import fnmatchcase

import torch
from torch import nn

from ..errors import UserError, did_you_mean, shown

Match = type | str | Callable[[str, nn.Module], bool] | list | tuple | None

WRAPPERS = ("DataParallel", "DistributedDataParallel", "FullyShardedDataParallel", "OptimizedModule")


def check_model(model: nn.Module) -> None:
    """Raise UserError for a model whose layers cannot be swapped: scripted, quantised, fused, wrapped, or meta."""
    if not isinstance(model, nn.Module):
        raise UserError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    for name, module in model.named_modules():
        what = _obstacle(module)
        if what is not None:
            place = f"{name}: {type(module).__name__}" if name else type(module).__name__
            raise UserError(f"layers of a model that is {what} ({place}) cannot be swapped; swap them before that")
    for name, parameter in model.named_parameters():
        if parameter.is_meta:
            raise UserError(f"{name} is on the meta device; swap layers when the model has its weights")


def _obstacle(module: nn.Module) -> str | None:
    if isinstance(module, torch.jit.ScriptModule):
        return "scripted or traced"
    if type(module).__module__.startswith("torch.ao.nn.intrinsic"):
        return "fused"
    if type(module).__module__.startswith("torch.ao."):
        return "quantised or prepared for it"
    if type(module).__name__ in WRAPPERS:
        return "wrapped or compiled"
    is_fused = getattr(module, "is_fused", None)  # Ultralytics
    return "fused" if callable(is_fused) and is_fused() else None


def find_layers(model: nn.Module, kinds: tuple[type, ...]) -> dict[nn.Module, list[str]]:
    """Every module of these kinds, with all its names: a module may be shared."""
    layers: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, kinds):
            layers.setdefault(module, []).append(name)
    return layers


def select(match: Match, layers: dict[nn.Module, list[str]]) -> set[nn.Module]:
    """The layers that match means.

    Args:
        match: None for all; a type of module; a pattern of names with *, ? and [] ('decoder.*'); a callable
            (name, module) -> bool; or a list of these, of which one has to fit.
        layers: modules and their names.

    Raises:
        UserError: match is none of these, or a pattern or a type fits no layer.
    """
    if match is None:
        return set(layers)
    if isinstance(match, (list, tuple)):
        return set().union(*(select(one, layers) for one in match))
    if isinstance(match, type):
        chosen = {layer for layer in layers if isinstance(layer, match)}
    elif isinstance(match, str):
        chosen = {layer for layer, names in layers.items() if any(fnmatchcase(name, match) for name in names)}
    elif callable(match):
        return {layer for layer, names in layers.items() if any(match(name, layer) for name in names)}
    else:
        raise UserError(f"match must be a type, a pattern of names, a callable or a list of these, got {shown(match)}")
    if not chosen:
        names = [name for names in layers.values() for name in names]
        what = match if isinstance(match, str) else match.__name__
        hint = did_you_mean(what, names) or f"; there are {', '.join(names[:5]) or 'none'}"
        raise UserError(f"match {what!r} fits no layer that could be swapped{hint}")
    return chosen
