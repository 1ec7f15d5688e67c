"""Curves over a training, and quality against cost (matplotlib)."""

import math
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator

from .ranking import RankedModel, Ranking
from .tables import cost_of

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6E4B3A")  # Okabe and Ito, and a brown
MARKERS = ("o", "s", "^", "D", "v", "P")  # one less than colours, so that 42 models differ
STYLE = ["default", {"font.size": 12, "text.parse_math": False, "axes.grid": True, "grid.alpha": 0.3}]
CURVES = {  # file: x axis, its key in a curve, divisor
    "quality_over_iterations": ("iterations", "iter", 1),
    "quality_over_time": ("training time, min", "seconds", 60),
}
COSTS = {  # file: x axis, a column of the tables
    "quality_against_latency": "latency, ms",
    "quality_against_time": "time of an image, s",
    "quality_against_parameters": "parameters",
    "quality_against_flops": "FLOPs with FFT",
}


def colour(place: int) -> str:
    """The colour of the model at that place of the option file, in every plot and table."""
    return COLOURS[place % len(COLOURS)]


def _look(model: RankedModel) -> dict:
    return {"color": colour(model.place), "marker": MARKERS[model.place % len(MARKERS)]}


def save_plots(ranking: Ranking, folder: Path) -> list[Path]:
    """Write folder/NAME.png for the names of CURVES and COSTS, once there are numbers for them."""
    folder.mkdir(parents=True, exist_ok=True)
    saved, first = [], ranking.measures[0]
    with style.context(STYLE):
        for name in (*CURVES, *COSTS):
            figure = Figure((6.4, 5.2), dpi=150, layout="constrained")
            axes = figure.subplots()
            axes.set(title=ranking.benchmark["name"], ylabel=first.label)
            (_plot_curves if name in CURVES else _plot_costs)(ranking, name, axes)
            if not axes.has_data():
                continue
            baseline = ranking.baseline(first).mean
            if math.isfinite(baseline):
                axes.axhline(baseline, color="0.4", ls="--", label=ranking.benchmark["baseline"]["name"], zorder=1)
            figure.legend(loc="outside lower center", ncols=2, frameon=False)
            saved.append(folder / f"{name}.png")
            figure.savefig(saved[-1])
    return saved


def _plot_curves(ranking: Ranking, name: str, axes: Axes) -> None:
    title, key, divisor = CURVES[name]
    axes.set_xlabel(title)
    for model in ranking.models:
        if (points := band(ranking, model, key)) is None:
            continue
        x, mean, spread = points
        label, line = (model.name, "-") if model.finished else (f"{model.name} (unfinished)", ":")
        axes.plot(x / divisor, mean, ls=line, label=label, **_look(model))
        axes.fill_between(x / divisor, mean - spread, mean + spread, color=colour(model.place), alpha=0.2, lw=0)


def band(ranking: Ranking, model: RankedModel, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The first metric of the first set over `key` of the curves: mean x, mean and standard deviation over seeds.

    Points are the validations that all finished runs (if there is none, all runs) have in common.
    """
    curves = [_points(ranking, run, key) for run in model.finished or model.runs.values()]
    curves = [points for points in curves if points]
    common = sorted(set.intersection(*map(set, curves))) if curves else []
    if not common:
        return None
    x, values = np.moveaxis(np.array([[points[iteration] for iteration in common] for points in curves]), -1, 0)
    return x.mean(0), values.mean(0), values.std(0, ddof=1) if len(curves) > 1 else np.zeros(len(common))


def _points(ranking: Ranking, run: dict, key: str) -> dict[int, tuple[float, float]]:
    """Key and finite value by iteration."""
    dataset, metric = ranking.measures[0].dataset, ranking.measures[0].metric
    points = [point for point in run["curve"] if dataset in point["sets"]]  # a kill can separate the sets
    values = [(point["iter"], point[key], point["sets"][dataset][metric]) for point in points]
    return {iteration: (x, value) for iteration, x, value in values if math.isfinite(value)}


def _plot_costs(ranking: Ranking, name: str, axes: Axes) -> None:
    axes.set_xlabel(COSTS[name])
    costs = []
    for model in ranking.scored:
        score, cost = model.score(ranking.measures[0]), cost_of(model, COSTS[name])
        if math.isfinite(score.mean) and cost:  # a method without parameters has no place on a logarithmic axis
            costs.append(cost)
            axes.errorbar(
                costs[-1], score.mean, score.spread, ms=11, capsize=4, ls="", label=model.name, **_look(model)
            )
    if costs and max(costs) > 8 * min(costs):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter("")
    elif costs:
        axes.set_xlim(0, 1.1 * max(costs))
    axes.xaxis.set_major_formatter(EngFormatter())
