"""The bar chart of scripts/benchmark_operator.py."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {
    "literal": "#b0413e",
    "ours, uncached": "#8fb8de",
    "ours, cached": "#2a6f97",
    "FFT pair": "#999999",
    "depthwise": "#e0a030",
    "depthwise-conv variant": "#e0a030",
    "plain baseline": "#557a46",
}


def save_chart(results: dict, path: Path) -> None:
    """Save a bar chart of milliseconds (logarithmic; whiskers are quartiles), one panel per kind and phase."""
    panels = [
        (kind, phase) for kind in ("operator", "networks") if results[kind] for phase in ("evaluation", "training")
    ]
    figure, axes = plt.subplots(len(panels), 1, figsize=(11, 4 * len(panels)), constrained_layout=True, squeeze=False)
    for axis, (kind, phase) in zip(axes[:, 0], panels, strict=True):
        rows = results[kind]
        names = [name for name in COLOURS if any(name in row[phase] for row in rows)]
        for i, name in enumerate(names):
            found = [(j, row[phase][name]) for j, row in enumerate(rows) if name in row[phase]]
            medians = [timing["median"] for _, timing in found]
            whiskers = [
                [timing["median"] - timing["low"] for _, timing in found],
                [timing["high"] - timing["median"] for _, timing in found],
            ]
            places = [j + (i - (len(names) - 1) / 2) * 0.8 / len(names) for j, _ in found]
            axis.bar(places, medians, 0.8 / len(names), yerr=whiskers, color=COLOURS[name], label=name, capsize=2)
        axis.set_xticks(range(len(rows)), [row["label"].replace(" ", "\n", 1) for row in rows], fontsize=8)
        axis.set_yscale("log")
        axis.set_ylabel("ms")
        axis.set_title(f"{kind}: {'evaluation' if phase == 'evaluation' else 'forward and backward'}")
        axis.grid(axis="y", alpha=0.3)
        axis.legend(fontsize=8, ncols=len(names))
    facts = results["environment"]
    figure.suptitle(f"{facts['hardware']}, torch {facts['torch']}, {facts['commit']}", fontsize=9)
    figure.savefig(path, dpi=110)
