"""All checks of a run, in the order in which a user would mend what they find."""

from pathlib import Path

import torch

from ..errors import UserError
from .datasets import check_dataset
from .networks import check_network
from .types import check_type

_SCHEDULERS = ("MultiStepLR", "MultiStepRestartLR", "CosineAnnealingRestartLR")


def check_run(opt: dict, is_train: bool) -> None:
    """Check options as BasicSR would use them, up to building every network and reading one sample of every data set.

    Raises:
        UserError: the first thing that is wrong.
    """
    needed = ("name", "model_type", "num_gpu", "datasets", "network_g", "path")
    _require(opt, "", needed + (("train", "logger") if is_train else ("val",)))
    _check_num_gpu(opt["num_gpu"])
    _check_model(opt)
    if is_train:
        _check_training(opt["train"])
        _require(opt["logger"], "logger:", ("print_freq", "save_checkpoint_freq", "use_tb_logger"))
    if opt.get("val") is not None:
        _check_val(opt["val"], is_train)
    phases = _phases(opt["datasets"], is_train)
    for key, phase in phases.items():
        check_dataset(key, opt["datasets"][key], phase, opt.get("scale"), _batch(opt, key) if phase == "train" else 1)
    for key in [key for key in opt if key.startswith("network_")]:
        check_network(key, opt[key], opt["path"], must_load=not is_train)
    resume = opt["path"].get("resume_state")
    if resume is not None and not Path(resume).expanduser().is_file():
        raise UserError(f"path:resume_state: no such file: {resume}")


def _require(section: object, where: str, keys: tuple[str, ...]) -> None:
    if not isinstance(section, dict):
        raise UserError(f"{where.rstrip(':')} must hold keys and values, got {section!r}")
    missing = [key for key in keys if key not in section]
    if missing:
        raise UserError(f"the option file has no {where}{missing[0]}")


def _check_num_gpu(num_gpu: object) -> None:
    found = torch.cuda.device_count()
    if num_gpu != "auto" and not (isinstance(num_gpu, int) and 0 <= num_gpu <= found):
        raise UserError(f"num_gpu: {num_gpu} does not fit this machine, which has {found} CUDA devices; write auto")


def _check_model(opt: dict) -> None:
    from basicsr.utils.registry import MODEL_REGISTRY

    check_type("model_type", opt["model_type"], MODEL_REGISTRY, "model")
    for section in ("datasets", "network_g", "path"):
        _require(opt[section], f"{section}:", ())


def _check_training(train: dict) -> None:
    import basicsr.models.lr_scheduler as schedulers
    from basicsr.utils.registry import LOSS_REGISTRY

    from .types import check_options

    _require(train, "train:", ("total_iter", "scheduler", "optim_g"))
    for key, section in train.items():
        if key.endswith("_opt") and isinstance(section, dict):
            loss = check_type(f"train:{key}:type", section.get("type"), LOSS_REGISTRY, "loss")
            check_options(f"train:{key}", section, loss)
        elif key.startswith("optim_"):
            optimizer = getattr(torch.optim, str(section.get("type")), None)
            if optimizer is None:
                raise UserError(f"train:{key}:type: torch.optim has no {section.get('type')!r}; Adam is supported")
            check_options(f"train:{key}", section, optimizer, given=("params",))
    scheduler = train["scheduler"]
    if scheduler.get("type") not in _SCHEDULERS:
        raise UserError(f"train:scheduler:type: no {scheduler.get('type')!r}; there are {', '.join(_SCHEDULERS)}")
    name = scheduler["type"].replace("MultiStepLR", "MultiStepRestartLR")
    check_options("train:scheduler", scheduler, getattr(schedulers, name), given=("optimizer", "last_epoch"))
    if name.startswith("Cosine") and sum(scheduler["periods"]) < train["total_iter"]:
        raise UserError(
            f"train:scheduler:periods: {scheduler['periods']} end before total_iter ({train['total_iter']}): "
            "their sum must reach it"
        )


def _check_val(val: dict, is_train: bool) -> None:
    from basicsr.utils.registry import METRIC_REGISTRY

    from .types import check_options

    _require(val, "val:", ("val_freq", "save_img") if is_train else ("save_img",))
    if not is_train and val["save_img"]:
        _require(val, "val:", ("suffix",))
    for name, section in (val.get("metrics") or {}).items():
        metric = check_type(f"val:metrics:{name}:type", section.get("type"), METRIC_REGISTRY, "metric")
        check_options(f"val:metrics:{name}", section, metric, given=("img", "img2"), also=("better",))


def _phases(datasets: dict, is_train: bool) -> dict[str, str]:
    """Key in the option file: phase, that is what is before an underscore (val_1, val_2, ...)."""
    allowed = ("train", "val") if is_train else ("test", "val")
    phases = {key: key.split("_")[0] for key in datasets}
    for key, phase in phases.items():
        if phase not in allowed:
            raise UserError(f"datasets:{key}: must begin with {' or '.join(allowed)}")
    if is_train and "train" not in phases.values():
        raise UserError("datasets: there is no train to train on")
    return phases


def _batch(opt: dict, key: str) -> int:
    """Samples that one iteration takes out of the data set."""
    _require(opt["datasets"][key], f"datasets:{key}:", ("batch_size_per_gpu", "num_worker_per_gpu"))
    gpus = torch.cuda.device_count() if opt["num_gpu"] == "auto" else opt["num_gpu"]
    return opt["datasets"][key]["batch_size_per_gpu"] * max(gpus, 1)
