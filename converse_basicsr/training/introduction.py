"""The first lines of a run: what is trained, on what, and where it is saved."""

import os
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from basicsr.utils.logger import get_env_info
from basicsr.utils.options import dict2str

from .logs import log
from .resuming import changes
from .states import State, labels_of
from .training_data import TrainingData

SHOWN = 6  # changed options


def introduce(opt: dict, model: Any, data: TrainingData | None, sets: list[Dataset], log_file: Path) -> None:
    """Show name, networks, data and schedule in a few lines; versions and all options only in the log file."""
    versions = get_env_info().partition("Version Information:")[2]
    log.info(f"versions:{versions}{dict2str(opt)}", extra={"only_file": True})
    folder = opt["path"]["experiments_root" if opt["is_train"] else "results_root"]
    lines = [("name", f"{opt['name']} in {os.path.relpath(folder)}"), *facts(opt, model, data)]
    for dataset in sets:
        images = counted(len(dataset), "image")
        lines.append(("validation set" if data else "test set", f"{dataset.opt['name']}: {images}"))
    if data:
        lines.append(("training", _schedule(opt, data)))
    lines.append(("log", os.path.relpath(log_file)))
    for name, value in lines:
        log.info(f"{name:<15} {value}")


def facts(opt: dict, model: Any, data: TrainingData | None) -> list[tuple[str, str]]:
    """Networks, device and training set, as (name, value)."""
    lines = []
    for label in labels_of(opt):
        count = sum(parameter.numel() for parameter in getattr(model, f"net_{label}").parameters())
        lines.append((f"network_{label}", f"{opt[f'network_{label}']['type']}, {count:,} parameters"))
    lines.append(("device", _device(opt)))
    if data:
        images = f"{data.section['name']}: {counted(data.count, 'image')}, batch size {data.batch}"
        workers = counted(data.section["num_worker_per_gpu"], "data-loader worker")
        lines.append(("training set", f"{images}, {workers}"))
        lines += _step(opt["train"])
    return lines


def introduce_resume(state: State, given: dict, batch: int) -> None:
    """Say where the training continues, and which options have changed since the state was saved."""
    for problem in state.problems:
        log.warning(f"{problem}; using the previous state")
    log.info(f"continuing from iteration {state.iteration:,} ({os.path.relpath(state.file)})")
    used, ignored = changes(state.content.get("options", given), given)
    for words, lines in (("changed option, applied", used), ("changed option, ignored", ignored)):
        for line in lines[:SHOWN]:
            log.info(f"  {words}: {line}")
        if len(lines) > SHOWN:
            log.info(f"  {words}: {len(lines) - SHOWN} more")
    before = state.content.get("batch", batch)
    if before != batch:
        log.info(f"  the batch size is now {batch} instead of {before}")


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _schedule(opt: dict, data: TrainingData) -> str:
    total, val = opt["train"]["total_iter"], opt.get("val") or {}
    validated = f", validated every {val['val_freq']:,}" if val.get("val_freq") else ""
    return (
        f"{counted(total, 'iteration')} ({total * data.batch / data.count:,.1f} epochs), saved every "
        f"{opt['logger']['save_checkpoint_freq']:,}{validated}, seed {opt['manual_seed']}"
    )


def _step(train: dict) -> list[tuple[str, str]]:
    """What a step does differently with options of RestorationModel."""
    parts = [f"network in {train['amp']}"] if train.get("amp") else []
    if train.get("accum_iter", 1) > 1:
        parts.append(f"the batch of a process in {train['accum_iter']} parts")
    if train.get("clip_grad_norm"):
        parts.append(f"gradients clipped to norm {train['clip_grad_norm']:g}")
    return [("step", ", ".join(parts))] if parts else []


def _device(opt: dict) -> str:
    if not opt["num_gpu"] or not torch.cuda.is_available():
        kind = f"CPU, {counted(torch.get_num_threads(), 'thread')}"
    else:
        kind = f"{opt['num_gpu']} x {torch.cuda.get_device_name()}"
    return f"{kind}, {opt['world_size']} processes" if opt["dist"] else kind
