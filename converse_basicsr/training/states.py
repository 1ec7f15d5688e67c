"""Saved states: everything that a training needs to continue as if it had not been interrupted.

As in BasicSR, iteration N is training_states/N.state and models/net_*_N.pth. The state is written last (saving.py), so
a state has its networks. resuming.py puts a state into a model.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError, shown
from ..files.checkpoint import load_file

POOL = ("queue_lr", "queue_gt", "queue_ptr")  # of RealESRNetModel and RealESRGANModel: the pairs that they mix
_ENTRIES = {"iter": int, "position": int, "batch": int, "manual_seed": int, "optimizers": list, "schedulers": list,
            "options": dict, "pool": dict, "grad_scaler": dict}  # fmt: skip
SCALER = ("scale", "_growth_tracker")  # of a GradScaler's state: what changes
_SCHEDULE = {"milestones", "gamma", "restarts", "restart_weights", "periods", "cumulative_period", "eta_min"}
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
        number = name in SCALER and type(value) is (float if name == "scale" else int)
        if not number or not 0 <= value < 2**31 or (name == "scale" and not value):
            raise UserError(f"{path} is not a training state: its grad_scaler has {shown(name)}: {shown(value)}")


def scaler_of(model: Any) -> torch.amp.GradScaler | None:
    """The GradScaler of RestorationModel with train: amp: fp16."""
    return getattr(getattr(model, "optimiser_step", None), "scaler", None)


def without_schedule(values: dict) -> dict:
    """The state of a scheduler without its options."""
    return {name: value for name, value in values.items() if name not in _SCHEDULE}
