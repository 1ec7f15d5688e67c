"""Continuing from a state: what a model takes from it, and what from changed options."""

from typing import Any

import torch

from ..errors import UserError
from ..options.places import by_place
from .states import State, labels_of, scaler_of, without_schedule

_IGNORED = ("path:pretrain_network_", "path:param_key_", "path:strict_load_")
_OF_THE_CALL = ("path:resume_state",)


def start_from(state: State, opt: dict) -> None:
    """Let BasicSR's model load the networks of a state instead of pretrained ones."""
    for label in labels_of(opt):
        if f"network_{label}" not in (opt["path"].get("ignore_resume_networks") or []):
            opt["path"][f"pretrain_network_{label}"] = str(state.network_file(label))
            opt["path"][f"param_key_{label}"] = "params"
            opt["path"][f"strict_load_{label}"] = True


def restore(state: State, model: Any, given: dict) -> None:
    """Restore optimisers, schedulers, the pool of pairs and the scale of losses.

    The schedule and changed options of an optimiser are the given ones.

    Args:
        state: the state.
        model: a new model of BasicSR.
        given: the options as read from the file.

    Raises:
        UserError: the state is of another model.
    """
    content = state.content
    schedulers = [without_schedule(values) for values in content["schedulers"]]
    try:
        model.resume_training({**content, "schedulers": schedulers})
    except Exception as error:  # of any type, since any value can be wrong
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"{state.file} does not fit the model: {reason}") from error
    for optimizer in model.optimizers:
        for parameter, moments in optimizer.state.items():
            if any(isinstance(m, torch.Tensor) and m.dim() and m.shape != parameter.shape for m in moments.values()):
                raise UserError(f"{state.file} does not fit the model: its optimiser has moments of another shape")
    _apply_optimiser_options(model, (content.get("options") or given)["train"], given["train"])
    for name, value in content.get("pool", {}).items():
        setattr(model, name, value.to(model.device) if isinstance(value, torch.Tensor) else value)
    scaler = scaler_of(model)
    if scaler:
        scaler.load_state_dict({**scaler.state_dict(), **content.get("grad_scaler", {})})


def changes(old: dict, new: dict) -> tuple[list[str], list[str]]:
    """The options that differ, as lines: those that a resumed training uses, and those that it ignores."""
    old, new = by_place(old), by_place(new)
    used, ignored = [], []
    for place in sorted({*old, *new}):
        if old.get(place) != new.get(place) and not place.startswith(_OF_THE_CALL):
            before, after = (repr(options[place]) if place in options else "not set" for options in (old, new))
            line = f"{place}: {before} -> {after}"
            (ignored if place.startswith(_IGNORED) else used).append(line)
    return used, ignored


def _apply_optimiser_options(model: Any, old: dict, new: dict) -> None:
    """Let changed options of an optimiser, such as a lower lr, replace those of the state; torch's if one is left out.

    The learning rate is scaled, because the schedule has changed it since the start.
    """
    sections = [
        key for key in ("optim_g", "optim_d") if isinstance(old.get(key), dict) and isinstance(new.get(key), dict)
    ]
    for key, optimizer, scheduler in zip(sections, model.optimizers, model.schedulers, strict=False):
        names = [name for name in {**old[key], **new[key]} if new[key].get(name) != old[key].get(name)]
        changed = {name: optimizer.defaults[name] for name in names if name in optimizer.defaults and name != "lr"}
        factor = new[key]["lr"] / old[key]["lr"]
        for group in optimizer.param_groups:
            group.update(changed)
            group["lr"] *= factor
            group["initial_lr"] *= factor
        scheduler.base_lrs = [lr * factor for lr in scheduler.base_lrs]
