"""Whether two entrants differ by more than their seeds do."""

import math
from dataclasses import dataclass

from .standings import Score, Standing, Standings, image_value


@dataclass(frozen=True)
class Difference:
    """value: of the means. spread: standard deviation of the difference of two single runs; nan with one seed."""

    value: float
    spread: float

    @property
    def is_within_spread(self) -> bool:
        return abs(self.value) <= self.spread


def compare(score: Score | None, other: Score | None) -> Difference | None:
    """score - other, the spreads added in squares; None where one is missing."""
    if score is None or other is None:
        return None
    return Difference(gap(score.mean, other.mean), math.hypot(score.spread, other.spread))


def gap(value: float, other: float) -> float:
    """value - other; 0 where both are infinite."""
    return 0.0 if value == other else value - other


def against(standings: Standings) -> Standing | None:
    """What entrants are compared with: the best without the Converse operator, or else the best of all.

    None where there are not two to compare.
    """
    if len(standings.scored) < 2:
        return None
    return standings.rival or standings.scored[0]


def images_won(standings: Standings, entrant: Standing, other: Standing) -> tuple[int, int]:
    """On how many images of the first set the entrant is better in the first metric, and how many both have."""
    own, others = (_image_means(standings, one) for one in (entrant, other))
    both = own.keys() & others.keys()
    sign = standings.sign(standings.first)
    return sum(sign * own[name] > sign * others[name] for name in both), len(both)


def _image_means(standings: Standings, entrant: Standing) -> dict[str, float]:
    """Mean over the seeds that have the image."""
    found: dict[str, list[float]] = {}
    for run in entrant.finished.values():
        for name in (run.get("final") or {}).get(standings.first[0], {}).get("images") or {}:
            value = image_value(run, standings.first, name)
            if value is not None:
                found.setdefault(name, []).append(value)
    return {name: math.fsum(values) / len(values) for name, values in found.items()}
