"""What a benchmark's results.json says: entrants with scores over seeds, in order of merit."""

import json
import math
import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import UserError
from ..converse import names_converse

Measure = tuple[str, str]  # validation set, metric


@dataclass(frozen=True)
class Score:
    """A metric over seeds: the values of the finished runs, by seed."""

    values: dict[str, float]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values.values())

    @property
    def spread(self) -> float:
        """Sample standard deviation over seeds (n - 1); nan for a single seed, inf where only some are infinite."""
        values = set(self.values.values())
        if len(self.values) == 1:
            return math.nan
        if len(values) == 1:
            return 0.0
        return math.inf if any(map(math.isinf, values)) else statistics.stdev(self.values.values())


@dataclass(frozen=True)
class Standing:
    """An entrant of the benchmark and what became of it.

    Args:
        name: of the entrant.
        place: its position in the file, which gives it its colour.
        is_converse: whether it has the Converse operator: not so the twins, which have another in its place.
        cost: None where it is not measured.
        runs: by seed.
    """

    name: str
    place: int
    is_converse: bool
    cost: dict | None
    runs: dict[str, dict]

    @property
    def finished(self) -> dict[str, dict]:
        return {seed: run for seed, run in self.runs.items() if run["status"] == "done"}

    @property
    def training_seconds(self) -> float | None:
        """Mean over the finished runs."""
        found = [seconds for run in self.finished.values() if (seconds := value_of(run, "seconds")) is not None]
        return statistics.fmean(found) if found else None

    def score(self, measure: Measure) -> Score | None:
        """None where no run has finished, or none has a value."""
        dataset, metric = measure
        found = {
            seed: value_of((run.get("final") or {}).get(dataset, {}).get("mean"), metric)
            for seed, run in self.finished.items()
        }
        values = {seed: value for seed, value in found.items() if value is not None}
        return Score(values) if values else None

    def price(self, *keys: str) -> float | None:
        """A number of `cost` by its path of keys; None where it is not measured."""
        branch = self.cost or {}
        for key in keys[:-1]:
            branch = branch.get(key) or {}
        return value_of(branch, keys[-1])


@dataclass(frozen=True)
class Standings:
    """The whole of results.json, as the benchmark writes it."""

    folder: Path
    benchmark: dict
    environment: dict
    entrants: tuple[Standing, ...]  # in the order of the file

    @property
    def measures(self) -> list[Measure]:
        return [(dataset, metric) for dataset in self.benchmark["sets"] for metric in self.benchmark["metrics"]]

    @property
    def first(self) -> Measure:
        """What decides the order: the first metric of the first set."""
        return self.measures[0]

    @cached_property
    def ranked(self) -> list[Standing]:
        """Best first; those without a score at the end, in the order of the file."""
        scored = [entrant for entrant in self.entrants if entrant.score(self.first)]
        order = sorted(scored, key=lambda entrant: -self.sign(self.first) * entrant.score(self.first).mean)
        return order + [entrant for entrant in self.entrants if entrant not in scored]

    @property
    def scored(self) -> list[Standing]:
        return [entrant for entrant in self.ranked if entrant.score(self.first)]

    @property
    def converse(self) -> Standing | None:
        """The best entrant with the Converse operator."""
        return next((entrant for entrant in self.scored if entrant.is_converse), None)

    @property
    def rival(self) -> Standing | None:
        """The best entrant without the Converse operator."""
        return next((entrant for entrant in self.scored if not entrant.is_converse), None)

    @property
    def unfinished(self) -> list[tuple[Standing, str, dict]]:
        """Standing, seed and run of every run that is not done."""
        return [
            (entrant, seed, run)
            for entrant in self.entrants
            for seed, run in entrant.runs.items()
            if run["status"] != "done"
        ]

    def sign(self, measure: Measure) -> int:
        """1 where a higher value is better, -1 where a lower one is (benchmark: better, as BasicSR writes it)."""
        return -1 if self.benchmark.get("better", {}).get(measure[1]) == "lower" else 1

    def baseline(self, measure: Measure) -> float | None:
        sets = (self.benchmark.get("baseline") or {}).get("sets") or {}
        return value_of((sets.get(measure[0]) or {}).get("mean"), measure[1])

    @property
    def baseline_name(self) -> str:
        return (self.benchmark.get("baseline") or {}).get("name") or "baseline"

    def baseline_image_value(self, measure: Measure, image: str) -> float | None:
        sets = (self.benchmark.get("baseline") or {}).get("sets") or {}
        return value_of(((sets.get(measure[0]) or {}).get("images") or {}).get(image), measure[1])


def read_standings(folder: Path) -> Standings:
    """Read folder/results.json; a seed without a run counts as one that waits.

    Raises:
        UserError: the file is absent, is no JSON, or lacks a part that the report needs.
    """
    path = Path(folder) / "results.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        benchmark = content["benchmark"]
        waiting = {str(seed): {"status": "waiting"} for seed in benchmark["seeds"]}
        if not (benchmark["sets"] and benchmark["metrics"]):
            raise UserError(f"{path}: benchmark must name at least one set and one metric")
        entrants = tuple(
            Standing(name, place, _is_converse(part), part.get("cost"), {**waiting, **part["runs"]})
            for place, (name, part) in enumerate(content["entrants"].items())
        )
        return Standings(path.parent, benchmark, content.get("environment") or {}, entrants)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; run basicsr benchmark first") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is no JSON: {error}") from error
    except KeyError as error:
        raise UserError(f"{path} lacks {error}, which basicsr benchmark writes") from error


def image_value(run: dict, measure: Measure, image: str) -> float | None:
    """A metric of one image of a run."""
    return value_of(((run.get("final") or {}).get(measure[0], {}).get("images") or {}).get(image), measure[1])


def value_of(metrics: dict | None, name: str) -> float | None:
    """A number by its name, which may be infinite ("inf" in the file), or None."""
    value = (metrics or {}).get(name)
    if value in ("inf", "-inf"):
        return float(value)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _is_converse(part: dict) -> bool:
    """As the built network said, or by its options in a file that was written before that was noted."""
    known = part.get("uses_converse")
    return names_converse(part["network"]) if known is None else known
