"""The report of a run: a table of metrics and a comparison figure for every validation set."""

import os
from pathlib import Path

import numpy as np

from .figure import save_comparison
from .measure import Row


def report(rows_of: dict[str, list[Row]], opt: dict) -> None:
    """Print metrics per image and their mean, and save the comparison figure, for every set with ground truth.

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
        print(f"picture     {os.path.relpath(panel)}")
    if checkpoint:
        print(f"checkpoint  {os.path.relpath(checkpoint)}")


def _print_table(rows: list[Row], dataset: str, baseline: str, network: str) -> None:
    names = list(rows[0].restored_metrics)
    width = max(len("image"), *(len(row.name) for row in rows))
    column = max(len(baseline), len(network), 10)

    def line(label: str, cells: list[str]) -> str:
        return f"{label:<{width}}  {'  | '.join(cells)}"

    def cell(before: float, after: float) -> str:
        return f"{before:>{column}.4f}  {after:>{column}.4f}  {after - before:>+8.4f}"

    print(f"\n{dataset}: {', '.join(names)}")
    print(line("image", [f"{baseline:>{column}}  {network:>{column}}  {'change':>8}"] * len(names)))
    for row in rows:
        print(line(row.name, [cell(row.baseline_metrics[name], row.restored_metrics[name]) for name in names]))
    print(line("mean", [cell(*_means(rows, name)) for name in names]))


def _print_hint(rows: list[Row], baseline: str, opt: dict) -> None:
    """Say so if the training was too short to beat its baseline in the first metric."""
    name, metric = next(iter(opt["val"]["metrics"].items()))
    before, after = _means(rows, name)
    if after <= before if metric.get("better", "higher") == "higher" else after >= before:
        reference = "bicubic upsampling" if baseline == "bicubic" else "the input itself"
        print(
            f"hint        {name} is not yet better than that of {reference}: {opt['train']['total_iter']} iterations "
            "are few; raise train:total_iter and the schedule with it"
        )


def _means(rows: list[Row], name: str) -> tuple[float, float]:
    before = np.mean([row.baseline_metrics[name] for row in rows])
    return float(before), float(np.mean([row.restored_metrics[name] for row in rows]))
