"""Saving the networks and the state of an iteration, and deleting old ones."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from basicsr.utils.registry import ARCH_REGISTRY

from ..files.checkpoint import save_file
from ..options.constructors import check_type, with_defaults
from .states import POOL, SCALER, iterations_of, labels_of, scaler_of, state_file, without_schedule


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
        "schedulers": [without_schedule(scheduler.state_dict()) for scheduler in model.schedulers],
        "options": given,
        "torch": str(torch.__version__),
    }
    pool = {name: getattr(model, name) for name in POOL if hasattr(model, name)}
    scaler = scaler_of(model)
    scale = {name: scaler.state_dict()[name] for name in SCALER} if scaler else {}
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


def _delete_old(opt: dict, newest: int) -> None:
    """Delete states that keep_last does not keep; those after `newest` are damaged ones of an earlier run."""
    keep = opt["logger"].get("keep_last")
    known = [number for number in iterations_of(Path(opt["path"]["training_states"])) if number <= newest]
    for iteration in known[:-keep] if keep else []:
        state_file(opt, iteration).unlink(missing_ok=True)  # first: a state must have its networks
        for label in labels_of(opt):
            Path(opt["path"]["models"], f"net_{label}_{iteration}.pth").unlink(missing_ok=True)


def _on_cpu(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.cpu() for name, value in network.state_dict().items()}
