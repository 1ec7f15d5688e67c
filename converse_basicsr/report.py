"""The end of a run: every validation image beside its input, in numbers and in a picture."""

import logging
import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from basicsr.data import build_dataset
from basicsr.metrics import calculate_metric
from basicsr.models import build_model
from basicsr.utils import tensor2img
from basicsr.utils.dist_util import get_dist_info
from basicsr.utils.matlab_functions import imresize

from .panel import MOST_ROWS, draw_panel


@dataclass(frozen=True)
class Images:
    lq: np.ndarray
    baseline: np.ndarray
    restored: np.ndarray
    gt: np.ndarray


@dataclass(frozen=True)
class Row:
    """One image: its metrics by name, and uint8 arrays (H, W, 3) BGR or (H, W) for the picture."""

    name: str
    baseline_metrics: dict[str, float]
    restored_metrics: dict[str, float]
    images: Images | None


def report(opt: dict, root: str, is_train: bool, debug: bool = False) -> None:
    """Evaluate the checkpoint that a run has left, print metrics per image and mean, and draw the comparison.

    After training that is net_g_latest.pth (its EMA weights, if it has them), read back from the disk; after a
    test, the checkpoint that was tested. The baseline is bicubic upsampling, or the input itself where there is no
    upscaling. Without data sets of pairs or without metrics there is nothing to compare, and nothing is printed.

    Args:
        opt: options as in the file.
        root: the folder that holds experiments/ and results/.
        is_train: whether it was a training run.
        debug: whether it was one with --debug.
    """
    if get_dist_info()[0] != 0 or not (opt.get("val") or {}).get("metrics"):
        return
    name = f"debug_{opt['name']}" if debug and not opt["name"].startswith("debug") else opt["name"]
    folder = Path(root, "experiments" if is_train else "results", name)
    opt = options_for_test(opt, folder / "models" / "net_g_latest.pth" if is_train else None)
    model = quietly(build_model, opt)
    baseline = "bicubic" if (opt.get("scale") or 1) > 1 else "input"
    for key, section in opt["datasets"].items():
        if key.split("_")[0] not in ("val", "test"):
            continue
        dataset = validation_set(section, opt)
        if not gives_pairs(dataset):
            continue
        measured = tqdm(evaluate(model, dataset, opt), f"Report {section['name']}", len(dataset), unit="image")
        rows = [row if number < MOST_ROWS else replace(row, images=None) for number, row in enumerate(measured)]
        rows.sort(key=lambda row: row.name)
        if rows:
            panel = folder / f"comparison_{section['name']}.png"
            draw_panel(rows, panel, baseline, opt["network_g"]["type"])
            _print_table(rows, section["name"], baseline, opt["network_g"]["type"])
            print(f"picture     {os.path.relpath(panel, root)}")
    print(f"checkpoint  {os.path.relpath(opt['path']['pretrain_network_g'], root)}")


def options_for_test(opt: dict, checkpoint: Path | None) -> dict:
    """Options as BasicSR would complete them for a test, of a checkpoint of a training (its EMA weights) if given."""
    opt = deepcopy(opt)
    opt.update(is_train=False, dist=False, rank=0, world_size=1)
    if opt["num_gpu"] == "auto":
        opt["num_gpu"] = torch.cuda.device_count()
    if checkpoint is not None:
        opt["path"].update(pretrain_network_g=str(checkpoint), param_key_g="params_ema", strict_load_g=True)
    return opt


def quietly(build, *args):
    """Build something without BasicSR's log lines: they were all written during the run."""
    logger = logging.getLogger("basicsr")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        return build(*args)
    finally:
        logger.setLevel(level)


def evaluate(model, dataset, opt: dict) -> Iterator[Row]:
    """Every image of a data set of pairs, restored and measured."""
    for sample in torch.utils.data.DataLoader(dataset):
        yield measure(model, sample, opt["val"]["metrics"], opt.get("scale") or 1)


def validation_set(section: dict, opt: dict):
    """A data set as BasicSR would build it for validation."""
    scale = {"scale": opt["scale"]} if "scale" in opt else {}
    return quietly(build_dataset, {**section, "phase": "val", **scale})


def gives_pairs(dataset) -> bool:
    """Whether its samples are an image and its ground truth."""
    first = dataset[0]
    return {"lq", "gt", "lq_path"} <= first.keys() and first["lq"].dim() == 3


def measure(model, sample: dict, metrics: dict[str, dict], scale: int) -> Row:
    """Restore a validation sample (a batch of 1) and measure it, and its input, against the ground truth.

    Args:
        model: a BasicSR model.
        sample: lq, gt, lq_path, and what else the model is fed.
        metrics: as in the section val of an option file.
        scale: of the option file.
    """
    model.feed_data(sample)
    model.test()
    visuals = model.get_current_visuals()
    lq, restored, gt = (tensor2img(visuals[key]) for key in ("lq", "result", "gt"))
    baseline = upsample(lq, scale)
    measured = [score(image, gt, metrics) for image in (baseline, restored)]
    return Row(Path(sample["lq_path"][0]).stem, *measured, Images(lq, baseline, restored, gt))


def score(image: np.ndarray, gt: np.ndarray, metrics: dict[str, dict]) -> dict[str, float]:
    """The metrics of an image, uint8, against its ground truth."""
    return {name: float(calculate_metric({"img": image, "img2": gt}, metric)) for name, metric in metrics.items()}


def upsample(lq: np.ndarray, scale: int) -> np.ndarray:
    """MATLAB-style bicubic upsampling of a uint8 image."""
    if scale == 1:
        return lq
    image = imresize(lq.reshape(*lq.shape[:2], -1).astype(np.float32) / 255, scale)
    return (image.clip(0, 1) * 255).round().astype(np.uint8).reshape(*image.shape[:2], *lq.shape[2:])


def _print_table(rows: list[Row], dataset: str, baseline: str, network: str) -> None:
    names = list(rows[0].restored_metrics)
    width = max(len("image"), *(len(row.name) for row in rows))
    column = max(len(baseline), len(network), 10)

    def line(label: str, cells: list[str]) -> str:
        return f"{label:<{width}}  {'  | '.join(cells)}"

    def cell(before: float, after: float) -> str:
        return f"{before:>{column}.4f}  {after:>{column}.4f}  {after - before:>+8.4f}"

    def mean(metrics: list[dict[str, float]], name: str) -> float:
        return float(np.mean([values[name] for values in metrics]))

    before, after = [row.baseline_metrics for row in rows], [row.restored_metrics for row in rows]
    print(f"\n{dataset}: {', '.join(names)}")
    print(line("image", [f"{baseline:>{column}}  {network:>{column}}  {'change':>8}"] * len(names)))
    for row, old, new in zip(rows, before, after, strict=True):
        print(line(row.name, [cell(old[name], new[name]) for name in names]))
    print(line("mean", [cell(mean(before, name), mean(after, name)) for name in names]))
