"""Curves and bubbles of a benchmark (matplotlib)."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...errors import UserError
from . import wording
from .standings import Standing, Standings, value_of

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6E4B3A")  # Okabe and Ito, and a brown
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")
GRAY = "#666666"
SIZE, DPI = (6.4, 5.2), 150
LARGEST, SMALLEST = 900, 40  # areas of bubbles, in square points
CURVES = {"iterations": ("iter", "iterations"), "time": ("seconds", "training time")}
COSTS = {  # picture: the cost along x, and the cost that is the bubble's size
    "latency": (("latency, ms", ("latency_ms", "median")), ("parameters", ("parameters",))),
    "parameters": (("parameters", ("parameters",)), ("latency in ms", ("latency_ms", "median"))),
    "flops": (("FLOPs with FFT", ("flops_with_fft",)), ("latency in ms", ("latency_ms", "median"))),
}


def colour(place: int) -> str:
    """Of the entrant at that place of the file, in every picture and table."""
    return COLOURS[place % len(COLOURS)]


def draw_pictures(standings: Standings, folder: Path) -> dict[str, Path]:
    """Write folder/quality_over_*.png and quality_against_*.png, those that there are numbers for.

    Returns:
        The files by name: iterations, time, latency, parameters, flops.

    Raises:
        UserError: matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name, (key, title) in CURVES.items():
        bands = [(entrant, band(standings, entrant, key)) for entrant in standings.entrants]
        bands = [(entrant, found) for entrant, found in bands if found]
        if bands:
            draw = _curves(standings, bands, title)
            made[name] = _picture(folder / f"quality_over_{name}.png", draw)
    for name, (along, size) in COSTS.items():
        finite = [one for one in standings.scored if math.isfinite(one.score(standings.first).mean)]
        shown = [one for one in finite if one.price(*along[1])]
        if shown:
            made[name] = _picture(folder / f"quality_against_{name}.png", _bubbles(standings, shown, along, size))
    return made


def band(standings: Standings, entrant: Standing, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The first metric of the first set over `key` of the curves: x, mean and standard deviation over seeds.

    Points are the validations, at iterations that all seeds have in common; x is the mean too, since seeds take unequal
    time to get there. Of an entrant without a finished run, the unfinished ones are taken.
    """
    runs = [run for run in entrant.runs.values() if run["status"] == "done"] or entrant.runs.values()
    curves = [points for run in runs if (points := _points(standings, run, key))]
    common = sorted(set.intersection(*(set(points) for points in curves))) if curves else []
    if not common:
        return None
    x, values = np.moveaxis(np.array([[points[i] for i in common] for points in curves]), -1, 0)
    return x.mean(0), values.mean(0), values.std(0, ddof=1) if len(curves) > 1 else np.zeros(len(common))


def _points(standings: Standings, run: dict, key: str) -> dict[int, tuple[float, float]]:
    """By iteration, where the run's curve is finite: key and value."""
    dataset, metric = standings.first
    found = {}
    for point in run.get("curve") or []:
        pair = value_of(point, key), value_of(point["sets"].get(dataset), metric)
        if None not in pair and math.isfinite(pair[1]):
            found[point["iter"]] = pair
    return found


def _curves(standings: Standings, bands: list, title: str) -> Callable:
    longest = max(x[-1] for _, (x, _, _) in bands)
    unit, divisor = ("", 1) if title == "iterations" else (", min", 60) if longest > 180 else (", s", 1)

    def draw(axis) -> None:
        _draw_baseline(standings, axis)
        for entrant, (x, mean, spread) in bands:
            done = "" if entrant.finished else " (unfinished)"
            style = LINES[entrant.place // len(COLOURS) % len(LINES)] if entrant.finished else ":"
            axis.fill_between(x / divisor, mean - spread, mean + spread, color=colour(entrant.place), alpha=0.2, lw=0)
            axis.plot(
                x / divisor, mean, style, color=colour(entrant.place), marker=_marker(entrant), ms=6, lw=2.2,
                markevery=max(1, len(x) // 8), label=_plain(entrant.name) + done,
            )  # fmt: skip
        axis.set_xlabel(title + unit)
        _finish(standings, axis)

    return draw


def _bubbles(standings: Standings, shown: list[Standing], along: tuple, size: tuple) -> Callable:
    sizes = [entrant.price(*size[1]) for entrant in shown]
    largest = max((value for value in sizes if value), default=None)
    note = f"\nbubble area: {size[0]}, at most {wording.with_prefix(largest)}" if largest else ""

    def draw(axis) -> None:
        _draw_baseline(standings, axis)
        x = [entrant.price(*along[1]) for entrant in shown]
        y = [entrant.score(standings.first) for entrant in shown]
        areas = [max(LARGEST * value / largest, SMALLEST) if value else SMALLEST for value in sizes]
        for i, entrant in enumerate(shown):
            spread = 0 if math.isnan(y[i].spread) else y[i].spread
            own = colour(entrant.place)
            axis.errorbar(x[i], y[i].mean, spread, color=own, capsize=4 if spread else 0, zorder=2)
            axis.scatter(x[i], y[i].mean, areas[i], color=own, alpha=0.55, edgecolor="black", zorder=3)
        axis.margins(x=0.25, y=0.25)
        if max(x) > 8 * min(x):
            axis.set_xscale("log")
        else:
            axis.set_xlim(left=0)
        axis.set_xlabel(f"{along[0]} (less is better){note}")
        axis.xaxis.set_major_formatter(lambda value, _: _tick(value))
        axis.xaxis.set_minor_formatter("")
        _finish(standings, axis)
        _label(axis, [_plain(one.name) for one in shown], x, [score.mean for score in y], areas)

    return draw


def _label(axis, names: list[str], x: list[float], y: list[float], areas: list[float]) -> None:
    """Names beside bubbles: for each the first place around it that is free, or else the first one."""
    figure = axis.figure
    figure.canvas.draw()  # settles the layout, which positions in pixels depend on
    renderer, point = figure.canvas.get_renderer(), figure.dpi / 72
    centres = axis.transData.transform(np.column_stack([x, y]))
    radii = [math.sqrt(area / math.pi) * point for area in areas]
    taken = [(cx - r, cy - r, cx + r, cy + r) for (cx, cy), r in zip(centres, radii, strict=True)]
    frame = axis.get_window_extent(renderer)
    for name, (cx, cy), r in zip(names, centres, radii, strict=True):
        text = axis.annotate(name, (0, 0), xycoords="figure pixels", fontsize=11, va="bottom", ha="left", zorder=4)
        box = text.get_window_extent(renderer)
        w, h, gap = box.width, box.height, 3 * point
        spots = [
            (cx + dx * (w / 2 + side) - w / 2, cy + dy * (r + gap + h / 2 + far) - h / 2)
            for far in (0, h, 2 * h, 3 * h)
            for dx, dy, side in ((1, 0, r + gap), (-1, 0, r + gap), (0, 1, 0), (0, -1, 0), (1, 1, 0), (-1, 1, 0),
                                 (1, -1, 0), (-1, -1, 0))
        ]  # fmt: skip
        inside = [
            (left, low)
            for left, low in spots
            if left > frame.x0 and left + w < frame.x1 and low > frame.y0 and low + h < frame.y1
        ]
        free = [(left, low) for left, low in inside if not _overlaps((left, low, left + w, low + h), taken)]
        left, low = (free or inside or spots)[0]
        text.xy = (left, low)
        text.set_position((left, low))
        text.set_in_layout(False)  # or saving would lay out anew and move the bubbles away
        taken.append((left, low, left + w, low + h))


def _overlaps(box: tuple, others: list[tuple]) -> bool:
    left, low, right, high = box
    return any(left < x1 and right > x0 and low < y1 and high > y0 for x0, y0, x1, y1 in others)


def _draw_baseline(standings: Standings, axis) -> None:
    value = standings.baseline(standings.first)
    if value is not None and math.isfinite(value):
        axis.axhline(value, color=GRAY, ls=(0, (4, 3)), lw=1.5, label=_plain(standings.baseline_name), zorder=1)


def _finish(standings: Standings, axis) -> None:
    dataset, metric = standings.first
    axis.set_ylabel(f"{_plain(metric.upper())}{wording.unit(standings.first).replace(' ', ', ')}")
    seeds = len(standings.benchmark["seeds"])
    axis.set_title(_plain(f"{dataset}, {seeds} seed{'s' * (seeds > 1)}"), fontsize=11, color=GRAY)
    if axis.get_legend_handles_labels()[0]:
        axis.figure.legend(loc="outside lower center", ncols=2, fontsize=11, frameon=False)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def _picture(path: Path, draw: Callable) -> Path:
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(f"pictures need matplotlib: pip install 'converse_basicsr[benchmark]' ({error})") from error
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "font.size": 13, "backend": "agg"}):
        figure = Figure(SIZE, DPI, layout="constrained")
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08)
        FigureCanvasAgg(figure)
        draw(figure.subplots())
        figure.savefig(path, dpi=DPI)
    return path


def _tick(value: float) -> str:
    """20, 1.5 M: as with_prefix, without zeros at the end."""
    number, *prefix = wording.with_prefix(value).split(" ")
    return " ".join([f"{float(number):g}", *prefix])


def _marker(entrant: Standing) -> str:
    return MARKERS[entrant.place % len(MARKERS)]


def _plain(text: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")
