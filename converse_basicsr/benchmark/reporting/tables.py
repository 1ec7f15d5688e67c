"""The tables of a report, for Markdown and HTML."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

from matplotlib.ticker import EngFormatter

from ..results import AS_GIVEN
from .ranking import Measure, RankedModel, Ranking, Score

WITHIN = "≈"


@dataclass(frozen=True)
class Cell:
    text: str = "-"
    number: float | None = None  # to sort by


@dataclass(frozen=True)
class Row:
    name: str
    cells: list[Cell]
    place: int | None = None  # of a model, for its colour


@dataclass(frozen=True)
class Table:
    caption: str
    columns: list[str]  # the first is that of the rows' names
    rows: list[Row]
    sortable: bool = True


def rounded(value: float) -> str:
    """Three significant digits: 0.412, 4,120."""
    return f"{float(f'{value:.3g}'):,g}"


def with_prefix(value: float) -> str:
    """Three significant digits: 1.23 G."""
    return EngFormatter()(float(f"{value:.3g}"))


COSTS = {  # column: the path in `cost`, and the format of its number
    "parameters": (("parameters",), "{:,}".format),
    "FLOPs": (("flops",), with_prefix),
    "FLOPs with FFT": (("flops_with_fft",), with_prefix),
    "activations": (("activations",), with_prefix),
    "latency, ms": (("latency_ms", "median"), rounded),
    "training step, ms": (("training_step_ms", "median"), rounded),
    "memory, MiB": (("peak_memory_mib", "evaluation"), rounded),
    "training memory, MiB": (("peak_memory_mib", "training"), rounded),
}


WHOLE_IMAGES = {  # column: the number of a run's `whole_images`, and its format
    "time of an image, s": (lambda whole: statistics.fmean(whole["seconds"].values()), rounded),
    "memory of the largest image, MiB": (lambda whole: whole["peak_memory_mib"], rounded),
}


def cost_of(model: RankedModel, column: str) -> float | None:
    """A number of `cost` or `whole_images` by its column in the tables; None if it was not measured."""
    if column in WHOLE_IMAGES:
        found = [WHOLE_IMAGES[column][0](run["whole_images"]) for run in model.finished if "whole_images" in run]
        return statistics.fmean(found) if found and None not in found else None
    value = model.cost
    for key in COSTS[column][0]:
        value = value and value[key]
    return value


def tables_of(ranking: Ranking) -> dict[str, Table]:
    """All tables by title."""
    return {
        "Converse against the best without": _summary(ranking),
        "Ranking": _ranking(ranking),
        "Differences in every metric": _differences(ranking),
        "Unfinished runs": _unfinished(ranking),
        "How it was measured": _facts(ranking),
    }


def _summary(ranking: Ranking) -> Table:
    converse, other = ranking.best(uses_converse=True), ranking.best(uses_converse=False)
    rows = []
    if converse and other:
        cells = [_difference(converse.score(one).minus(other.score(one)), one) for one in ranking.measures]
        cells += [_ratio(cost_of(converse, column), cost_of(other, column)) for column in (*WHOLE_IMAGES, *COSTS)]
        rows = [Row(f"{converse.name} vs {other.name}", cells)]
    columns = ["models", *(measure.label for measure in ranking.measures), *WHOLE_IMAGES, *COSTS]
    caption = "The best model with the Converse operator: quality differences, cost ratios."
    return _without_empty_columns(Table(caption, columns, rows))


def _ranking(ranking: Ranking) -> Table:
    columns = [
        "model", "runs", *(measure.label for measure in ranking.measures), *_others(ranking), *WHOLE_IMAGES, *COSTS,
        "cost input", "training time, min",
    ]  # fmt: skip
    unscored = [model for model in ranking.models if model not in ranking.scored]
    rows = [Row(model.name, _ranking_cells(ranking, model), model.place) for model in ranking.scored + unscored]
    scores = [_score(ranking.baseline(measure), measure) for measure in ranking.measures]
    cells = [Cell(), *scores, *[Cell()] * (len(columns) - len(scores) - 2)]
    rows.append(Row(f"{ranking.benchmark['baseline']['name']} (baseline)", cells))
    caption = (
        "±: sample standard deviation over seeds; without it there is one run, and a difference may be chance. "
        f"Differences are in the first metric. {WITHIN}: at most the standard deviation of the difference of two runs. "
        "The time of an image is a mean over all whole images; the memory of the largest is what the process grows by. "
        "The other costs are on the cost input: FLOPs are multiply-adds, times medians with quartiles, peak memory "
        "of the tensors."
    )
    return _without_empty_columns(Table(caption, columns, rows))


def _ranking_cells(ranking: Ranking, model: RankedModel) -> list[Cell]:
    scores, minutes, costs = [Cell()] * (len(ranking.measures) + len(_others(ranking))), Cell(), []
    if model.finished:
        scores = [_score(model.score(measure), measure) for measure in ranking.measures]
        scores += _changes(ranking, model, ranking.measures[0])
        if model.is_trained:
            mean = statistics.fmean(run["seconds"] for run in model.finished) / 60
            minutes = Cell(rounded(mean), mean)
    for column, (_, form) in WHOLE_IMAGES.items():
        costs.append(_cost(cost_of(model, column), form))
    for column, (path, form) in COSTS.items():
        value = cost_of(model, column)
        timing = model.cost[path[0]] if value is not None and path[-1] == "median" else None
        costs.append(_cost(value, form, f" ({form(timing['low'])}-{form(timing['high'])})" if timing else ""))
    size = Cell("x".join(map(str, model.cost["input"]))) if model.cost else Cell()
    runs = Cell(f"{len(model.finished)} of {len(model.runs)}", len(model.finished))
    return [runs, *scores, *costs, size, minutes]


def _differences(ranking: Ranking) -> Table:
    columns = [f"{measure.label} {other}" for measure in ranking.measures for other in _others(ranking)]
    rows = [
        Row(model.name, [cell for one in ranking.measures for cell in _changes(ranking, model, one)], model.place)
        for model in ranking.scored
    ]
    return Table(f"{WITHIN}: within the spread over seeds.", ["model", *columns], rows)


def _unfinished(ranking: Ranking) -> Table:
    rows = [
        Row(model.name, [Cell(seed), Cell(run["status"]), Cell(run["reason"] or "-")], model.place)
        for model in ranking.models
        for seed, run in model.runs.items()
        if run["status"] != "done"
    ]
    caption = "The same command continues waiting, stopped and missing runs."
    return Table(caption, ["model", "seed", "status", "reason"], rows, sortable=False)


def _facts(ranking: Ranking) -> Table:
    benchmark = ranking.benchmark
    costs = [model.cost["environment"] for model in ranking.models if model.cost]
    places = {f"{where['date']} {where['commit']}" for where in costs}
    weights = {model.name: model.runs[AS_GIVEN].get("weights") for model in ranking.models if not model.is_trained}
    facts = {
        **{key: benchmark[key] for key in ("command", "file", "started")},
        "finished": benchmark["finished"] or "not yet",
        "budget of each run": ", ".join(f"{value:,} {unit}" for unit, value in benchmark["budget"].items()),
        **{key: ", ".join(map(str, benchmark[key])) for key in ("seeds", "sets", "metrics")},
        "scale": str(benchmark["scale"]),
        **ranking.environment,
        "costs measured": "; ".join(sorted(places)),
        **{f"weights of {name}": f"{file['file']}, sha256 {file['sha256']}" for name, file in weights.items() if file},
    }
    facts = {key: value for key, value in facts.items() if value}  # without training there are no seeds and no budget
    trained = "All trained models have the same recipe and budget; another recipe may change the order. "
    given = "Models with weights are evaluated as they are: training data and budgets are those of their authors. "
    caption = (
        f"{trained if ranking.benchmark['seeds'] else ''}{given if any(weights.values()) else ''}"
        "Costs hold for this machine, "
        "input size and these versions. An infinite PSNR is that of an image restored exactly, and is not plotted."
    )
    return Table(caption, ["", ""], [Row(key, [Cell(value)]) for key, value in facts.items()], sortable=False)


def _others(ranking: Ranking) -> list[str]:
    """Column titles of _changes."""
    reference = [ranking.reference.name] if ranking.reference else []
    return [f"vs {name}" for name in (ranking.benchmark["baseline"]["name"], *reference)]


def _changes(ranking: Ranking, model: RankedModel, measure: Measure) -> list[Cell]:
    """Against the baseline, and against the reference if there is one."""
    score, reference = model.score(measure), ranking.reference
    cells = [_difference(score.minus(ranking.baseline(measure)), measure)]
    if reference:
        difference = _difference(score.minus(reference.score(measure)), measure)
        cells.append(Cell("reference", 0.0) if model is reference else difference)
    return cells


def _cost(value: float | None, form: Callable[[float], str], more: str = "") -> Cell:
    return Cell() if value is None else Cell(form(value) + more, value)


def _ratio(ours: float | None, others: float | None) -> Cell:
    if ours is None or not others:
        return Cell()
    return Cell(f"x {ours / others:.2f}", ours / others)


def _without_empty_columns(table: Table) -> Table:
    """The table without columns of costs that no row has."""
    optional = (*COSTS, *WHOLE_IMAGES, "training time, min")
    kept = [
        place
        for place, column in enumerate(table.columns[1:])
        if column not in optional or any(row.cells[place] != Cell() for row in table.rows)
    ]
    rows = [replace(row, cells=[row.cells[place] for place in kept]) for row in table.rows]
    return replace(table, columns=[table.columns[0], *(table.columns[place + 1] for place in kept)], rows=rows)


def _score(score: Score, measure: Measure) -> Cell:
    spread = "" if math.isnan(score.spread) else f" ± {score.spread:.{measure.digits}f}"
    return Cell(f"{score.mean:.{measure.digits}f}{spread}", score.mean)


def _difference(difference: Score, measure: Measure) -> Cell:
    mark = f" {WITHIN}" if difference.is_within_spread else ""
    return Cell(f"{difference.mean:+.{measure.digits}f}{mark}", difference.mean)
