"""The tables of a benchmark, for Markdown and HTML alike."""

from dataclasses import dataclass

from . import wording
from .comparing import against, compare, gap
from .standings import Standing, Standings

WITHIN = "≈"


@dataclass(frozen=True)
class Cell:
    text: str
    number: float | None = None  # to sort by


@dataclass(frozen=True)
class Row:
    """An entrant or the baseline; place: of an entrant, for its colour."""

    name: str
    place: int | None
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    columns: list[str]
    rows: list[Row]


def main_table(standings: Standings) -> Table:
    """One row for each entrant, best first, and the baseline as the last."""
    reference = against(standings)
    columns = [
        "runs",
        *(wording.label(standings, measure) + _in_brackets(wording.unit(measure)) for measure in standings.measures),
        f"vs {standings.baseline_name}",
        *([f"vs {reference.name}"] if reference else []),
        *(title for title, _ in COSTS),
        "training time",
    ]
    rows = [Row(one.name, one.place, _cells(standings, one, reference)) for one in standings.ranked]
    values = [standings.baseline(measure) for measure in standings.measures]
    if any(value is not None for value in values):
        cells = [Cell(wording.metric(*pair), pair[1]) for pair in zip(standings.measures, values, strict=True)]
        blank = [Cell(wording.UNKNOWN)] * (len(columns) - len(cells) - 1)
        rows.append(Row(f"{standings.baseline_name} (baseline)", None, [Cell(wording.UNKNOWN), *cells, *blank]))
    return Table(columns, rows)


def change_table(standings: Standings) -> Table:
    """Changes in every metric of every set, against the baseline and against the reference."""
    reference = against(standings)
    columns, rows = [], [Row(one.name, one.place, []) for one in standings.scored]
    for measure in standings.measures:
        name = wording.label(standings, measure)
        columns += [f"{name} vs {standings.baseline_name}", *([f"{name} vs {reference.name}"] if reference else [])]
        for entrant, row in zip(standings.scored, rows, strict=True):
            row.cells.extend(_changes(standings, entrant, reference, measure))
    return Table(columns, rows)


COSTS = (
    ("parameters", lambda entrant: _count(entrant, wording.whole, "parameters")),
    ("FLOPs", lambda entrant: _count(entrant, wording.with_prefix, "flops")),
    ("FLOPs with FFT", lambda entrant: _count(entrant, wording.with_prefix, "flops_with_fft")),
    ("activations", lambda entrant: _count(entrant, wording.with_prefix, "activations")),
    ("latency, ms", lambda entrant: _timing(entrant, "latency_ms")),
    ("training step, ms", lambda entrant: _timing(entrant, "training_step_ms")),
    ("memory, MiB", lambda entrant: _count(entrant, wording.rounded, "peak_memory_mib", "evaluation")),
    ("training memory, MiB", lambda entrant: _count(entrant, wording.rounded, "peak_memory_mib", "training")),
)


def _cells(standings: Standings, entrant: Standing, reference: Standing | None) -> list[Cell]:
    scores = [(measure, entrant.score(measure)) for measure in standings.measures]
    done = len(entrant.finished)
    return [
        Cell(f"{done} of {len(entrant.runs)}", done),
        *(Cell(wording.score(measure, score), score and score.mean) for measure, score in scores),
        *_changes(standings, entrant, reference, standings.first),
        *(cell(entrant) for _, cell in COSTS),
        Cell(wording.duration(entrant.training_seconds), entrant.training_seconds),
    ]


def _changes(standings: Standings, entrant: Standing, reference: Standing | None, measure) -> list[Cell]:
    score, baseline = entrant.score(measure), standings.baseline(measure)
    gain = gap(score.mean, baseline) if score and baseline is not None else None
    cells = [Cell(wording.change(measure, gain), gain)]
    if reference is entrant:
        cells.append(Cell("reference", 0.0))
    elif reference:
        difference = compare(score, reference.score(measure))
        mark = f" {WITHIN}" if difference and difference.is_within_spread else ""
        value = difference and difference.value
        cells.append(Cell(wording.change(measure, value) + mark, value))
    return cells


def _count(entrant: Standing, text, *keys: str) -> Cell:
    return Cell(text(entrant.price(*keys)), entrant.price(*keys))


def _timing(entrant: Standing, key: str) -> Cell:
    return Cell(wording.timing((entrant.cost or {}).get(key)), entrant.price(key, "median"))


def _in_brackets(unit: str) -> str:
    return f" ({unit.strip()})" if unit else ""
