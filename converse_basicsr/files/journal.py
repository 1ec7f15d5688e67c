"""The journal of a training: losses, metrics and training time, one JSON object per line."""

import json
import time
from pathlib import Path

from .atomic import write_text

JOURNAL = "journal.jsonl"  # in the experiment's folder


class Journal:
    """The journal that RestorationModel writes with logger: journal: true.

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
        self._tick = time.perf_counter()

    def resume(self, iteration: int) -> None:
        """Continue after an iteration; lines of later iterations are removed."""
        kept = [entry for entry in read_entries(self.path) if entry["iter"] <= iteration]
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

    def diverged(self, reason: str) -> None:
        self._write(diverged=reason)

    def validated(self, dataset: str, metrics: dict[str, float]) -> None:
        self._write(set=dataset, metrics=metrics)
        self._tick = time.perf_counter()

    def saved(self) -> None:
        """Record a saved state; a resumed training continues from this line."""
        self._write()
        self._tick = time.perf_counter()

    def _write(self, **content: object) -> None:
        entry = {"iter": self.iteration, "seconds": round(self.seconds, 3), **content}
        with self.path.open("a") as file:
            file.write(f"{json.dumps(entry)}\n")


def read_entries(path: Path) -> list[dict]:
    """Every complete line of a journal; a missing file has none, and a partial last line is ignored."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("}\n")]


def curve(entries: list[dict]) -> list[dict]:
    """The validations sorted by iteration: [{"iter", "seconds", "sets": {set: {metric: value}}}]."""
    points: dict[int, dict] = {}
    for entry in entries:
        if "set" in entry:
            point = points.setdefault(entry["iter"], {"iter": entry["iter"], "seconds": entry["seconds"], "sets": {}})
            point["sets"][entry["set"]] = entry["metrics"]
    return [points[iteration] for iteration in sorted(points)]
