"""The report of a run: a table of metrics and a comparison figure for every validation set."""

import os
from pathlib import Path

import numpy as np

from ..evaluation.figure import save_comparison
from ..evaluation.measure import Row
from .logs import log


def report(rows_of: dict[str, list[Row]], opt: dict) -> None:
    """Show metrics per image and their mean, and save the comparison figure, for every set with ground truth.

    The baseline is bicubic upsampling, or the input itself at scale 1.

    Args:
        rows_of: the images of each set, measured with their baseline.
        opt: the finished options.
    """
    folder = Path(opt["path"]["experiments_root" if opt["is_train"] else "results_root"])
    checkpoint = folder / "models/net_g_latest.pth" if opt["is_train"] else opt["path"].get("pretrain_network_g")
    baseline = "bicubic" if (opt.get("scale") or 1) > 1 else "input"
    network = opt["network_g"]["type"]
    for name, rows in rows_of.items():
        rows = sorted((row for row in rows if row.restored_metrics), key=lambda row: row.name)
        if not rows:
            continue
        panel = folder / f"comparison_{name}.png"
        save_comparison(rows, panel, baseline, network)
        _print_table(rows, name, baseline, network)
        if opt["is_train"]:
            _print_hint(rows, baseline, opt)
        log.info(f"figure      {os.path.relpath(panel)}")
    if checkpoint:
        log.info(f"checkpoint  {os.path.relpath(checkpoint)}")


def _print_table(rows: list[Row], dataset: str, baseline: str, network: str) -> None:
    names = list(rows[0].restored_metrics)
    width = max(len("image"), *(len(row.name) for row in rows))
    column = max(len(baseline), len(network), 10)

    def line(label: str, cells: list[str]) -> str:
        return f"{label:<{width}}  {'  | '.join(cells)}"

    def cell(before: float, after: float) -> str:
        return f"{before:>{column}.4f}  {after:>{column}.4f}  {after - before:>+8.4f}"

    log.info(f"\n{dataset}: {', '.join(names)}")
    log.info(line("image", [f"{baseline:>{column}}  {network:>{column}}  {'change':>8}"] * len(names)))
    for row in rows:
        log.info(line(row.name, [cell(row.baseline_metrics[name], row.restored_metrics[name]) for name in names]))
    log.info(line("mean", [cell(*_means(rows, name)) for name in names]))


def _print_hint(rows: list[Row], baseline: str, opt: dict) -> None:
    """Say so if the training was too short to beat its baseline in the first metric."""
    name, metric = next(iter(opt["val"]["metrics"].items()))
    before, after = _means(rows, name)
    if after <= before if metric.get("better", "higher") == "higher" else after >= before:
        reference = "bicubic upsampling" if baseline == "bicubic" else "the input"
        log.info(
            f"hint        {name} is not better than {reference} after {opt['train']['total_iter']} iterations; "
            "increase train:total_iter and train:scheduler"
        )


def _means(rows: list[Row], name: str) -> tuple[float, float]:
    before = np.mean([row.baseline_metrics[name] for row in rows])
    return float(before), float(np.mean([row.restored_metrics[name] for row in rows]))
