"""All checks of a run, in the order in which a user would fix the errors."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from ..errors import UserError, did_you_mean, plain
from ..inference.calling import takes_kernel
from ..options.constructors import check_type
from ..options.data_sets import TrainSet
from ..options.schema import check_schema
from .datasets import CheckedDataset, check_dataset
from .keys import keys_read
from .losses import check_losses, check_measurable, check_metrics
from .models import GAN_MODELS, check_model, is_image_model, window_sizes
from .networks import check_discriminator, check_fit, check_network


def check_run(opt: dict, is_train: bool) -> None:
    """Check the options of a run; this builds every network and reads the data sets.

    Args:
        opt: options, as read from the file.
        is_train: True for training, False for a test.

    Raises:
        UserError: the first mistake found.
    """
    check_schema(opt, is_train)
    try:
        _check_built(opt, is_train)
    except UserError:
        raise
    except Exception as error:  # malformed options that no check covers
        message = f"invalid options: {type(error).__name__}: {plain(error)} (--traceback shows where)"
        raise UserError(message) from error


def _check_built(opt: dict, is_train: bool) -> None:
    """The checks that build or read something; the schema holds."""
    metrics = (opt.get("val") or {}).get("metrics") or {}
    check_model(opt, is_train)
    if is_train:
        check_losses(opt["train"])
        _check_wandb(opt["logger"])
    check_metrics(metrics)
    windows = window_sizes(opt["model_type"], opt["network_g"])
    checked = _check_datasets(opt)
    for key in [key for key in ("network_g", "network_d") if opt.get(key) is not None]:
        network = check_network(key, opt[key], opt["path"], must_load=not is_train)
        if is_train and not any(parameter.requires_grad for parameter in network.parameters()):
            raise UserError(f"{key}: {type(network).__name__} has no parameters to train")
        if key == "network_d":
            if opt["model_type"] in GAN_MODELS and is_train:
                check_discriminator(network, checked["datasets:train"].sample["gt"])
            continue
        _check_x8(opt, network)
        for note in _notes(opt["train"], network) if is_train else ():
            print(f"basicsr: note: train:{note}", file=sys.stderr)
        for where, dataset in checked.items():
            sample = _degraded(where, dataset.sample, opt)
            if is_image_model(opt["model_type"]):
                check_fit(key, network, where, sample, opt.get("scale") or 1, windows[where != "datasets:train"])
            if where != "datasets:train":
                check_measurable(metrics, where, sample, dataset.smallest)
    resume = opt["path"].get("resume_state")
    if resume is not None and not Path(resume).is_file():
        raise UserError(f"path:resume_state: no such file: {plain(resume)}")


def _check_datasets(opt: dict) -> dict[str, CheckedDataset]:
    """Check every data set; return what is known of each by its place in the file."""
    from basicsr.utils.registry import DATASET_REGISTRY

    checked = {}
    for key, section in opt["datasets"].items():
        if section is None:  # train: ~
            continue
        where = f"datasets:{key}"
        _check_keys(where, section, check_type(f"{where}:type", section["type"], DATASET_REGISTRY, "dataset"))
        checked[where] = check_dataset(key, section, key.split("_")[0], opt.get("scale"))
        for note in checked[where].notes:
            print(f"basicsr: note: {where}: {note}", file=sys.stderr)
    return checked


def _check_keys(where: str, section: dict, dataset: type) -> None:
    """Refuse a key that neither the data set nor its loader reads; our own data sets check their keys themselves."""
    if dataset.__module__.startswith("converse_basicsr."):
        return
    own = keys_read(dataset, ("opt", "self.opt")).all
    known = own | TrainSet.model_fields.keys()
    for key in section:
        if key not in known:
            raise UserError(f"{where}: {dataset.__name__} has no option {plain(key)!r}{did_you_mean(key, known)}")
        if key.startswith(("dataroot", "meta_info", "filename")) and key not in own:
            raise UserError(f"{where}: {dataset.__name__} ignores the option {key!r}{did_you_mean(key, own)}")


def _check_wandb(logger: dict) -> None:
    if (logger.get("wandb") or {}).get("project") and importlib.util.find_spec("wandb") is None:
        raise UserError("logger:wandb: the package wandb is not installed; pip install wandb, or write wandb: ~")


def _check_x8(opt: dict, network: torch.nn.Module) -> None:
    if (opt.get("val") or {}).get("x8") and takes_kernel(network) and (opt.get("scale") or 1) > 1:
        raise UserError("val:x8: not possible for a network with a blur kernel and a scale above 1; write false")


def _notes(train: dict, network: torch.nn.Module) -> Iterator[str]:
    norms = torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d, torch.nn.SyncBatchNorm
    if train.get("accum_iter", 1) > 1 and any(isinstance(module, norms) for module in network.modules()):
        yield "accum_iter: the batch statistics of network_g are those of a part of a batch"
    if train.get("amp") and not torch.cuda.is_available():
        yield f"amp: {train['amp']} is made for GPUs; many CPUs are several times slower with it"


def _degraded(where: str, sample: dict, opt: dict) -> dict:
    """The sample, degraded if it holds only ground truth."""
    from ..degradations import build_degradation

    section = opt.get("degradation")
    degradation = build_degradation(section, opt.get("scale")) if section else None
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
