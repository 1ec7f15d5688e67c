"""The finished options that BasicSR's classes expect: the content of the file, and what the command and machine add."""

import os
import random
from copy import deepcopy

import torch

from .processes import Processes

ONE = Processes()
DEBUG = "debug_"
DEBUG_FREQUENCY = 8  # iterations between two validations and two states with --debug


def finish_options(opt: dict, root: str, is_train: bool, processes: Processes = ONE, debug: bool = False) -> dict:
    """A completed copy of the options.

    Args:
        opt: options, as read from the file.
        root: the folder that holds experiments/, results/ and tb_logger/.
        is_train: True for training, False for a test.
        processes: the processes of the run.
        debug: log every iteration, validate and save often, and put debug_ before the name.
    """
    opt = deepcopy(opt)
    if debug and not opt["name"].startswith(DEBUG):
        opt["name"] = DEBUG + opt["name"]
    if opt.get("manual_seed") is None:
        opt["manual_seed"] = processes.share(random.SystemRandom().randrange(1, 10_000))
    opt.update(
        is_train=is_train,
        dist=processes.distributed,
        rank=processes.rank,
        world_size=processes.world_size,
        root_path=root,
        num_gpu=torch.cuda.device_count() if opt["num_gpu"] == "auto" else opt["num_gpu"],
    )
    if opt.get("scale") is None:  # SwinIRModel takes ~ for a number
        opt.pop("scale", None)
    opt["datasets"] = {phase: section for phase, section in opt["datasets"].items() if section is not None}
    for phase, section in opt["datasets"].items():
        _finish_dataset(phase.split("_")[0], section, opt)
    opt["path"] = {**(opt.get("path") or {}), **_folders(root, opt["name"], is_train)}
    if debug and is_train:
        opt["logger"].update(print_freq=1, save_checkpoint_freq=DEBUG_FREQUENCY, use_tb_logger=False)
        if opt.get("val"):
            opt["val"]["val_freq"] = DEBUG_FREQUENCY
    return opt


def _finish_dataset(phase: str, section: dict, opt: dict) -> None:
    section["phase"] = phase
    if "scale" in opt:
        section["scale"] = opt["scale"]
    if not (torch.cuda.is_available() and opt["num_gpu"]):  # these need CUDA
        section["pin_memory"] = False
        if section.get("prefetch_mode") == "cuda":
            section["prefetch_mode"] = None


def _folders(root: str, name: str, is_train: bool) -> dict[str, str]:
    top = os.path.normpath(os.path.join(root, "experiments" if is_train else "results", name))
    folders = {"experiments_root" if is_train else "results_root": top, "log": top}
    inner = ("models", "training_states", "visualization") if is_train else ("visualization",)
    return {**folders, **{folder: os.path.join(top, folder) for folder in inner}}
