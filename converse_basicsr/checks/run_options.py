"""All checks of a run, in the order in which a user would fix the errors."""

import sys
from pathlib import Path

import torch

from ..errors import UserError
from ..inference import TILE_OVERLAP
from ..inference.calling import takes_kernel
from .datasets import check_dataset
from .models import is_image_model, is_restoration_model, window_size
from .networks import check_fit, check_network
from .training import check_training
from .types import check_options, check_type
from .values import check_values, find, require

_OURS = (  # only RestorationModel reads these
    "degradation", "train:separate_draws", "val:tile", "val:tile_overlap", "val:x8", "logger:journal",
)  # fmt: skip


def check_run(opt: dict, is_train: bool, world_size: int = 1) -> None:
    """Check the options of a run; this builds every network and reads one sample of every data set.

    Args:
        opt: options, as read from the file.
        is_train: True for training, False for a test.
        world_size: number of processes of a distributed run.

    Raises:
        UserError: the first mistake found.
    """
    try:
        _check(opt, is_train, world_size)
    except UserError:
        raise
    except Exception as error:  # malformed options that no check covers
        message = f"invalid options: {type(error).__name__}: {error} (--traceback shows where)"
        raise UserError(message) from error


def _check(opt: dict, is_train: bool, world_size: int) -> None:
    require(opt, "", "name", "model_type", "num_gpu", "datasets", "network_g", "path")
    require(opt, "", *(("train", "logger") if is_train else ("val",)))
    for key in [key for key in opt if key in ("datasets", "path") or key.startswith("network_")]:
        require(opt[key], key)
    check_values(opt)
    _check_num_gpu(opt["num_gpu"])
    _check_model(opt)
    if is_train:
        check_training(opt["train"], opt["model_type"])
        require(opt["logger"], "logger", "print_freq", "save_checkpoint_freq", "use_tb_logger")
    if opt.get("val") is not None:
        _check_val(opt["val"], is_train)
    samples = _check_datasets(opt, is_train)
    window = window_size(opt["model_type"], opt.get("network_g") or {})
    for key in [key for key in opt if key.startswith("network_")]:
        network = check_network(key, opt[key], opt["path"], must_load=not is_train)
        if key == "network_g" and is_image_model(opt["model_type"]):
            for where, sample in samples.items():
                check_fit(key, network, where, _degraded(where, sample, opt), opt.get("scale") or 1, window)
        if key == "network_g":
            _check_x8(opt, network)
    resume = opt["path"].get("resume_state")
    if resume is not None and not Path(resume).is_file():
        raise UserError(f"path:resume_state: no such file: {resume}")


def _check_num_gpu(num_gpu: object) -> None:
    found = torch.cuda.device_count()
    if num_gpu != "auto" and not (isinstance(num_gpu, int) and 0 <= num_gpu <= found):
        raise UserError(f"num_gpu: got {num_gpu!r}, but this machine has {found} CUDA devices; write auto")


def _check_model(opt: dict) -> None:
    from basicsr.utils.registry import MODEL_REGISTRY

    model_type = opt["model_type"]
    check_type("model_type", model_type, MODEL_REGISTRY, "model")
    val = opt.get("val") or {}
    for place in _OURS:
        if find(opt, place) and not is_restoration_model(model_type):
            raise UserError(f"{place}: {model_type} ignores this option; write model_type: RestorationModel")
    overlap = val.get("tile_overlap", TILE_OVERLAP)
    if ("tile_overlap" in val or val.get("tile")) and overlap >= (val.get("tile") or 0):
        raise UserError(f"val:tile_overlap: must be less than val:tile, got {overlap}")


def _check_x8(opt: dict, network: torch.nn.Module) -> None:
    if (opt.get("val") or {}).get("x8") and takes_kernel(network) and (opt.get("scale") or 1) > 1:
        raise UserError("val:x8: not possible for a network with a blur kernel and a scale above 1; write false")


def _degraded(where: str, sample: dict, opt: dict) -> dict:
    """The sample, degraded if it holds only ground truth."""
    from ..degradations import build_degradation

    degradation = build_degradation(opt["degradation"], opt.get("scale")) if "degradation" in opt else None
    if "lq" in sample or "gt" not in sample:
        if degradation and where == "datasets:train":
            raise UserError(
                f"degradation: {where} already provides an input; use GroundTruthDataset, or remove this section"
            )
        return sample
    if where != "datasets:train":
        raise UserError(
            f"{where}: provides only ground truth; for validation use GaussianDenoisingDataset, BicubicSRDataset or "
            "BlurDataset, which follow the paper's protocols"
        )
    if degradation is None:
        raise UserError(f"{where}: provides only ground truth; add a section degradation that makes the input")
    made = degradation.degrade_batch(sample["gt"][None], [0])
    return {**sample, **{name: value[0] for name, value in made.items()}}


def _check_val(val: dict, is_train: bool) -> None:
    from basicsr.utils.registry import METRIC_REGISTRY

    require(val, "val", *(("val_freq", "save_img") if is_train else ("save_img",)))
    if not is_train and val["save_img"]:
        require(val, "val", "suffix")
    metrics = val.get("metrics") or {}
    require(metrics, "val:metrics")
    for name, section in metrics.items():
        require(section, f"val:metrics:{name}", "type")
        metric = check_type(f"val:metrics:{name}:type", section["type"], METRIC_REGISTRY, "metric")
        check_options(f"val:metrics:{name}", section, metric, given=("img", "img2"), also=("better",))


def _check_datasets(opt: dict, is_train: bool) -> dict[str, dict]:
    """Check every data set; return the first sample of each by its place in the file."""
    samples = {}
    for key, section in opt["datasets"].items():
        phase = key.split("_")[0]
        if key == "train":
            require(section, "datasets:train", "batch_size_per_gpu", "num_worker_per_gpu")
        if is_train and key != "train" and phase != "val":
            raise UserError(f"datasets:{key}: must be train, or start with val")
        if not is_train and phase not in ("test", "val"):
            raise UserError(f"datasets:{key}: must start with test or val")
        checked = check_dataset(key, section, phase, opt.get("scale"))
        samples[f"datasets:{key}"] = checked.sample
        for note in checked.notes:
            print(f"basicsr: note: datasets:{key}: {note}", file=sys.stderr)
    if is_train and "train" not in opt["datasets"]:
        raise UserError("datasets: training needs a section train")
    return samples
