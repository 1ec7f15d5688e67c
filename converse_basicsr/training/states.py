"""Saved states: everything that a training needs to continue as if it had not been interrupted.

As in BasicSR, iteration N is training_states/N.state and models/net_*_N.pth. The state is written last, so a state has
its networks.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from basicsr.utils.registry import ARCH_REGISTRY

from ..errors import UserError, shown
from ..files.checkpoint import load_file, save_file
from ..options.constructors import check_type, with_defaults
from ..options.places import by_place

POOL = ("queue_lr", "queue_gt", "queue_ptr")  # of RealESRNetModel and RealESRGANModel: the pairs that they mix
_ENTRIES = {"iter": int, "position": int, "batch": int, "manual_seed": int, "optimizers": list, "schedulers": list,
            "options": dict, "pool": dict, "grad_scaler": dict}  # fmt: skip
_SCALER = ("scale", "_growth_tracker")  # of a GradScaler's state: what changes
_SCHEDULE = {"milestones", "gamma", "restarts", "restart_weights", "periods", "cumulative_period", "eta_min"}
_IGNORED = ("path:pretrain_network_", "path:param_key_", "path:strict_load_")
_OF_THE_CALL = ("path:resume_state",)
_MOST = 2**53  # iterations and samples


@dataclass(frozen=True)
class State:
    """A loaded state and its networks' files; `problems` says why newer states were not taken."""

    file: Path
    content: dict
    problems: tuple[str, ...] = ()

    @property
    def iteration(self) -> int:
        return self.content["iter"]

    def network_file(self, label: str) -> Path:
        return self.file.parent.parent / "models" / f"net_{label}_{self.iteration}.pth"


def iterations_of(folder: Path) -> list[int]:
    """The iterations of the states in a folder, ascending."""
    return sorted(int(path.stem) for path in folder.glob("*.state") if path.stem.isdecimal())


def state_file(opt: dict, iteration: int) -> Path:
    return Path(opt["path"]["training_states"], f"{iteration}.state")


def labels_of(opt: dict) -> list[str]:
    """The networks' labels: g for network_g."""
    return [key.removeprefix("network_") for key in opt if key.startswith("network_") and opt[key] is not None]


def load_state(path: Path, opt: dict) -> State:
    """Load a state and check that its networks can be loaded too.

    Raises:
        UserError: the file is not a training state, is damaged, or belongs to other networks.
    """
    content = load_file(path)
    if not isinstance(content, dict) or not {"iter", "optimizers", "schedulers"} <= content.keys():
        kind = "the weights of a network, for path:pretrain_network_g" if path.suffix == ".pth" else "something else"
        raise UserError(f"{path} is not a training state (N.state) but {kind}")
    _check_entries(path, content)
    state = State(path, content)
    for label in labels_of(opt):
        if f"network_{label}" not in (opt["path"].get("ignore_resume_networks") or []):
            load_file(state.network_file(label))
    return state


def newest_state(opt: dict) -> State | None:
    """The newest state of the experiment that is not damaged, or None if there is none at all.

    Raises:
        UserError: there are states, but all are damaged.
    """
    problems = []
    for iteration in reversed(iterations_of(Path(opt["path"]["training_states"]))):
        try:
            return replace(load_state(state_file(opt, iteration), opt), problems=tuple(problems))
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError(f"all saved states are damaged: {problems[0]}; --force renames the folder and starts again")
    return None


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
    schedulers = [_without_schedule(values) for values in content["schedulers"]]
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
    scaler = _scaler_of(model)
    if scaler:
        scaler.load_state_dict({**scaler.state_dict(), **content.get("grad_scaler", {})})


def save_state(model: Any, opt: dict, given: dict, iteration: int, position: int, batch: int, epoch: int) -> None:
    """Save the networks and the state of an iteration; delete states that keep_last does not keep.

    Args:
        model: a model of BasicSR.
        opt: the finished options.
        given: the options as read from the file, saved in the state.
        iteration: the last finished iteration.
        position: number of samples that all processes have used.
        batch: number of samples that all processes take in an iteration.
        epoch: the epoch at that position.
    """
    save_networks(model, opt, str(iteration))
    state = {
        "epoch": epoch,
        "iter": iteration,
        "position": position,
        "batch": batch,
        "manual_seed": opt["manual_seed"],
        "optimizers": [optimizer.state_dict() for optimizer in model.optimizers],
        "schedulers": [_without_schedule(scheduler.state_dict()) for scheduler in model.schedulers],
        "options": given,
        "torch": str(torch.__version__),
    }
    pool = {name: getattr(model, name) for name in POOL if hasattr(model, name)}
    scaler = _scaler_of(model)
    scale = {name: scaler.state_dict()[name] for name in _SCALER} if scaler else {}
    extras = {name: value for name, value in (("pool", pool), ("grad_scaler", scale)) if value}
    save_file({**state, **extras}, state_file(opt, iteration))
    _delete_old(opt, iteration)


def save_networks(model: Any, opt: dict, name: str, notes: dict | None = None) -> None:
    """Save every network as models/net_LABEL_NAME.pth: params, params_ema, network_options, and the notes.

    network_options are type and constructor arguments with their defaults: enough to build the network again.
    """
    for label in labels_of(opt):
        levels = {"params": f"net_{label}", "params_ema": f"net_{label}_ema"}
        content = {
            level: _on_cpu(model.get_bare_model(getattr(model, attribute)))
            for level, attribute in levels.items()
            if hasattr(model, attribute)
        }
        content["network_options"] = constructor_options(opt[f"network_{label}"])
        save_file({**content, **(notes or {})}, Path(opt["path"]["models"], f"net_{label}_{name}.pth"))


def constructor_options(section: dict) -> dict:
    """Type and all constructor arguments of a network, defaults included if they are plain values."""
    arch = check_type("type", section["type"], ARCH_REGISTRY, "arch")
    return {"type": section["type"], **with_defaults(arch, section)}


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


def _delete_old(opt: dict, newest: int) -> None:
    """Delete states that keep_last does not keep; those after `newest` are damaged ones of an earlier run."""
    keep = opt["logger"].get("keep_last")
    known = [number for number in iterations_of(Path(opt["path"]["training_states"])) if number <= newest]
    for iteration in known[:-keep] if keep else []:
        state_file(opt, iteration).unlink(missing_ok=True)  # first: a state must have its networks
        for label in labels_of(opt):
            Path(opt["path"]["models"], f"net_{label}_{iteration}.pth").unlink(missing_ok=True)


def _check_entries(path: Path, content: dict) -> None:
    for name, kind in _ENTRIES.items():
        value = content.get(name, kind())
        items = value if kind is list else ()
        wrong = kind is int and type(value) is int and not 0 <= value < _MOST
        if type(value) is not kind or wrong or not all(isinstance(item, dict) for item in items):
            raise UserError(f"{path} is not a training state: its entry {name!r} is {shown(value)}")
    for name in content.get("pool", {}):
        if name not in POOL:
            raise UserError(f"{path} is not a training state: its pool has an entry {shown(name)}")
    for name, value in content.get("grad_scaler", {}).items():
        number = name in _SCALER and type(value) is (float if name == "scale" else int)
        if not number or not 0 <= value < 2**31 or (name == "scale" and not value):
            raise UserError(f"{path} is not a training state: its grad_scaler has {shown(name)}: {shown(value)}")


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


def _scaler_of(model: Any) -> torch.amp.GradScaler | None:
    """The GradScaler of RestorationModel with train: amp: fp16."""
    return getattr(getattr(model, "optimiser_step", None), "scaler", None)


def _without_schedule(values: dict) -> dict:
    return {name: value for name, value in values.items() if name not in _SCHEDULE}


def _on_cpu(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.cpu() for name, value in network.state_dict().items()}
