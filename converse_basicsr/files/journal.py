"""The journal of a training: losses, metrics and training time, one JSON object per line."""

import json
import math
import time
from pathlib import Path

from .atomic import write_text

JOURNAL = "journal.jsonl"  # in the experiment's folder


class Journal:
    """The journal of a training.

    Each line has iter and seconds: the training time so far, without validation and saving, summed over resumes. It
    also has losses, or set and metrics, or diverged (the reason).

    Args:
        path: the file; created with the first line.
        print_freq: losses are written every print_freq iterations.
    """

    def __init__(self, path: Path, print_freq: int):
        self.path = path
        self.print_freq = print_freq
        self.iteration = 0
        self.seconds = 0.0
        self._results: dict[int, dict[str, dict[str, float]]] = {}  # iteration: set: metrics
        self._tick = time.perf_counter()

    def resume(self, iteration: int) -> None:
        """Continue after an iteration; lines of later iterations are removed."""
        kept = [entry for entry in read_entries(self.path) if entry["iter"] <= iteration]
        self._results = {point["iter"]: point["sets"] for point in curve(kept)}
        write_text(self.path, "".join(f"{json.dumps(entry)}\n" for entry in kept))
        self.iteration = iteration
        self.seconds = max((entry["seconds"] for entry in kept), default=0.0)
        self._tick = time.perf_counter()

    def trained(self, iteration: int, losses: dict[str, float]) -> None:
        """Record a finished iteration."""
        now = time.perf_counter()
        self.iteration, self.seconds, self._tick = iteration, self.seconds + now - self._tick, now
        if iteration % self.print_freq == 0:
            self._write(losses=losses)

    def diverged(self, iteration: int, reason: str) -> None:
        self.iteration = iteration
        self._write(diverged=reason)

    def validated(self, dataset: str, metrics: dict[str, float]) -> None:
        self._results.setdefault(self.iteration, {})[dataset] = metrics
        self._write(set=dataset, metrics=metrics)
        self._tick = time.perf_counter()

    def saved(self) -> None:
        """Record a saved state; a resumed training continues from this line."""
        self._write()
        self._tick = time.perf_counter()

    def is_validated(self, iteration: int, sets: set[str]) -> bool:
        """Whether the results of these sets at this iteration are known."""
        return sets <= self._results.get(iteration, {}).keys()

    def best(self, metric: str, better: str, dataset: str | None = None) -> tuple[float, int] | None:
        """The best value of a metric so far and its iteration: of one set, or of the mean over all that have it."""
        values = []
        for iteration, sets in self._results.items():
            found = [m[metric] for name, m in sets.items() if metric in m and dataset in (None, name)]
            if found and not any(map(math.isnan, found)):
                values.append((sum(found) / len(found), iteration))
        if not values:
            return None
        return (max if better == "higher" else min)(values, key=lambda pair: pair[0])

    def _write(self, **content: object) -> None:
        entry = {"iter": self.iteration, "seconds": round(self.seconds, 3), **content}
        with self.path.open("a") as file:
            file.write(f"{json.dumps(entry)}\n")


def read_entries(path: Path) -> list[dict]:
    """Every line of a journal that is complete; a missing file has none. A power failure can leave damaged lines."""
    if not path.is_file():
        return []
    return [entry for line in path.read_text("utf-8", "replace").splitlines() if (entry := _entry(line))]


def has_state(path: Path) -> bool:
    """Whether a run with this journal has saved a state, or may have: there is no journal."""
    return not path.is_file() or any(entry.keys() == {"iter", "seconds"} for entry in read_entries(path))


def _entry(line: str) -> dict | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    kinds = {"iter": int, "seconds": (int, float), **({"metrics": dict} if "set" in entry else {})}
    return entry if all(isinstance(entry.get(key), kind) for key, kind in kinds.items()) else None


def curve(entries: list[dict]) -> list[dict]:
    """The validations sorted by iteration: [{"iter", "seconds", "sets": {set: {metric: value}}}]."""
    points: dict[int, dict] = {}
    for entry in entries:
        if "set" in entry:
            point = points.setdefault(entry["iter"], {"iter": entry["iter"], "seconds": entry["seconds"], "sets": {}})
            point["sets"][entry["set"]] = entry["metrics"]
    return [points[iteration] for iteration in sorted(points)]
