"""The report of a run: a table of metrics and a comparison figure for every validation set."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from basicsr.models import build_model
from basicsr.utils.dist_util import get_dist_info

from .figure import MOST_ROWS, save_comparison
from .measure import Row, evaluate, gives_pairs, options_for_test, quietly, validation_set


def report(opt: dict, root: str, is_train: bool, debug: bool = False) -> None:
    """Evaluate the checkpoint of a run, print metrics per image and their mean, and save the comparison figure.

    After training this is net_g_latest.pth (EMA weights if present), loaded from disk; after a test, the tested
    checkpoint. The baseline is bicubic upsampling, or the input itself at scale 1. Without paired data sets or
    without metrics nothing is printed.

    Args:
        opt: options, as read from the file.
        root: the folder that holds experiments/ and results/.
        is_train: True after training, False after a test.
        debug: True if the run had --debug.
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
            save_comparison(rows, panel, baseline, opt["network_g"]["type"])
            _print_table(rows, section["name"], baseline, opt["network_g"]["type"])
            print(f"picture     {os.path.relpath(panel, root)}")
    print(f"checkpoint  {os.path.relpath(opt['path']['pretrain_network_g'], root)}")


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
