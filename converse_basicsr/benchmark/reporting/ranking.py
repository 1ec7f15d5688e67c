"""The content of results.json: models with scores over seeds, best first."""

import math
import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import UserError
from ..results import AS_GIVEN, RESULTS, read_results


@dataclass(frozen=True)
class Measure:
    """A metric of a validation set."""

    dataset: str
    metric: str
    label: str  # for tables and axes
    sign: int  # 1 if a higher value is better, -1 if a lower one is
    digits: int  # decimals to show


@dataclass(frozen=True)
class Score:
    """Mean and sample standard deviation over seeds; that of a single seed is nan."""

    mean: float
    spread: float = math.nan

    def minus(self, other: "Score") -> "Score":
        """The difference of the means, with the spread of the difference of two single runs."""
        mean = 0.0 if self.mean == other.mean else self.mean - other.mean  # both may be infinite
        return Score(mean, math.hypot(self.spread, other.spread))

    @property
    def is_within_spread(self) -> bool:
        return abs(self.mean) <= self.spread


@dataclass(frozen=True)
class RankedModel:
    """A model of results.json."""

    name: str
    place: int  # in the option file; it determines the colour
    uses_converse: bool
    cost: dict | None  # None if the model is missing
    runs: dict[str, dict]  # by seed

    @property
    def finished(self) -> list[dict]:
        return [run for run in self.runs.values() if run["status"] == "done"]

    @property
    def is_trained(self) -> bool:
        return AS_GIVEN not in self.runs

    def score(self, measure: Measure) -> Score:
        """Over the finished runs; there must be one."""
        values = [run["final"][measure.dataset]["mean"][measure.metric] for run in self.finished]
        if len(set(values)) == 1:
            return Score(values[0], 0.0 if len(values) > 1 else math.nan)
        return Score(statistics.fmean(values), math.inf if math.inf in values else statistics.stdev(values))


@dataclass(frozen=True)
class Ranking:
    """The whole of results.json; models are in the order of the option file."""

    folder: Path
    benchmark: dict
    environment: dict[str, str]
    models: list[RankedModel]

    @cached_property
    def measures(self) -> list[Measure]:
        """The first metric of the first set decides the order."""
        found = []
        for dataset in self.benchmark["sets"]:
            for metric, better in self.benchmark["metrics"].items():
                unit, digits = (" (dB)", 3) if "psnr" in metric.lower() else ("", 4)
                label = metric.upper() + unit + (f" on {dataset}" if len(self.benchmark["sets"]) > 1 else "")
                found.append(Measure(dataset, metric, label, -1 if better == "lower" else 1, digits))
        return found

    @cached_property
    def scored(self) -> list[RankedModel]:
        """The models with a finished run, best first."""
        first = self.measures[0]
        scored = [model for model in self.models if model.finished]
        return sorted(scored, key=lambda model: -first.sign * model.score(first).mean)

    def best(self, uses_converse: bool) -> RankedModel | None:
        """The best model with, or without, the Converse operator."""
        return next((model for model in self.scored if model.uses_converse == uses_converse), None)

    @property
    def reference(self) -> RankedModel | None:
        """The model to compare with: the best without Converse, else the best of all; None if there is only one."""
        return (self.best(uses_converse=False) or self.scored[0]) if len(self.scored) > 1 else None

    def baseline(self, measure: Measure) -> Score:
        return Score(self.benchmark["baseline"]["sets"][measure.dataset]["mean"][measure.metric])

    @property
    def verdict(self) -> str:
        """better, worse or equal: the best model with Converse against the best without; open if one is missing."""
        converse, other, first = self.best(uses_converse=True), self.best(uses_converse=False), self.measures[0]
        if not (converse and other):
            return "open"
        difference = converse.score(first).minus(other.score(first))
        is_equal = difference.mean == 0 or difference.is_within_spread
        return "equal" if is_equal else "better" if first.sign * difference.mean > 0 else "worse"


def read_ranking(folder: Path) -> Ranking:
    """Read folder/results.json; UserError if the file is missing, is not JSON, or lacks a part."""
    content = read_results(folder / RESULTS)
    try:
        models = [
            RankedModel(name, place, part["uses_converse"], part["cost"], part["runs"])
            for place, (name, part) in enumerate(content["models"].items())
        ]
        return Ranking(folder, content["benchmark"], content["environment"], models)
    except KeyError as error:
        raise UserError(f"{folder / RESULTS} has no {error}, which basicsr benchmark writes") from error
