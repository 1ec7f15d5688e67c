"""Restoring and measuring images with BasicSR's models, data sets and metrics."""

import logging
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..compat import load_basicsr

load_basicsr()

from basicsr.data import build_dataset  # noqa: E402 (BasicSR can be imported from here on)
from basicsr.metrics import calculate_metric  # noqa: E402
from basicsr.utils import tensor2img  # noqa: E402
from basicsr.utils.matlab_functions import imresize  # noqa: E402


@dataclass(frozen=True)
class Images:
    lq: np.ndarray
    baseline: np.ndarray
    restored: np.ndarray
    gt: np.ndarray


@dataclass(frozen=True)
class Row:
    """One image: its metrics by name, and its images as uint8 (H, W, 3) BGR or (H, W) for the figure."""

    name: str
    baseline_metrics: dict[str, float]
    restored_metrics: dict[str, float]
    images: Images | None


def options_for_test(opt: dict, checkpoint: Path | None) -> dict:
    """A copy of the options, completed for a test as BasicSR does; a given checkpoint is loaded (EMA weights)."""
    opt = deepcopy(opt)
    opt.update(is_train=False, dist=False, rank=0, world_size=1)
    if opt["num_gpu"] == "auto":
        opt["num_gpu"] = torch.cuda.device_count()
    if checkpoint is not None:
        opt["path"].update(pretrain_network_g=str(checkpoint), param_key_g="params_ema", strict_load_g=True)
    return opt


def quietly(build, *args):
    """Call build(*args) without BasicSR's log lines, which the run has already written."""
    logger = logging.getLogger("basicsr")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        return build(*args)
    finally:
        logger.setLevel(level)


def evaluate(model, dataset, opt: dict) -> Iterator[Row]:
    """Restore and measure every image of a paired data set."""
    for sample in torch.utils.data.DataLoader(dataset):
        yield measure(model, sample, opt["val"]["metrics"], opt.get("scale") or 1)


def validation_set(section: dict, opt: dict):
    """The data set as BasicSR builds it for validation."""
    scale = {"scale": opt["scale"]} if "scale" in opt else {}
    return quietly(build_dataset, {**section, "phase": "val", **scale})


def gives_pairs(dataset) -> bool:
    """Whether the samples hold an input image and its ground truth."""
    first = dataset[0]
    return {"lq", "gt", "lq_path"} <= first.keys() and first["lq"].dim() == 3


def measure(model, sample: dict, metrics: dict[str, dict], scale: int) -> Row:
    """Restore a validation sample (a batch of 1); measure the result and the baseline against the ground truth.

    Args:
        model: a BasicSR model.
        sample: lq, gt, lq_path, and further inputs of the model.
        metrics: as under val: metrics in an option file.
        scale: the option file's scale.
    """
    model.feed_data(sample)
    model.test()
    visuals = model.get_current_visuals()
    lq, restored, gt = (tensor2img(visuals[key]) for key in ("lq", "result", "gt"))
    baseline = upsample(lq, scale)
    measured = [score(image, gt, metrics) for image in (baseline, restored)]
    return Row(Path(sample["lq_path"][0]).stem, *measured, Images(lq, baseline, restored, gt))


def score(image: np.ndarray, gt: np.ndarray, metrics: dict[str, dict]) -> dict[str, float]:
    """The metrics of a uint8 image against its ground truth."""
    return {name: float(calculate_metric({"img": image, "img2": gt}, metric)) for name, metric in metrics.items()}


def upsample(lq: np.ndarray, scale: int) -> np.ndarray:
    """MATLAB-style bicubic upsampling of a uint8 image."""
    if scale == 1:
        return lq
    image = imresize(lq.reshape(*lq.shape[:2], -1).astype(np.float32) / 255, scale)
    return (image.clip(0, 1) * 255).round().astype(np.uint8).reshape(*image.shape[:2], *lq.shape[2:])
