"""What a training writes down of itself, a JSON object a line: losses, validations, and the seconds that it took."""

import json
import time
from pathlib import Path

from .atomic import write_text

JOURNAL = "journal.jsonl"  # within the folder of the experiment


class Journal:
    """Written by RestorationModel where the option file says logger: journal: true.

    Each line has iter and seconds, the time of training until then, without validation and saving; over resumes it
    counts on. Beside them it has losses, or set and metrics, or diverged, a reason.

    Args:
        path: the file; made with the first line.
        print_freq: losses are written every so many iterations.
    """

    def __init__(self, path: Path, print_freq: int):
        self.path = path
        self.print_freq = print_freq
        self.iteration = 0
        self.seconds = 0.0
        self._tick = time.perf_counter()

    def resume(self, iteration: int) -> None:
        """Go on after an iteration; what was written of later ones is taken back."""
        kept = [entry for entry in read_entries(self.path) if entry["iter"] <= iteration]
        write_text(self.path, "".join(f"{json.dumps(entry)}\n" for entry in kept))
        self.iteration = iteration
        self.seconds = max((entry["seconds"] for entry in kept), default=0.0)
        self._tick = time.perf_counter()

    def trained(self, iteration: int, losses: dict[str, float]) -> None:
        """One iteration is done."""
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
        """A state was saved: a resumed training counts on from this line."""
        self._write()
        self._tick = time.perf_counter()

    def _write(self, **content: object) -> None:
        entry = {"iter": self.iteration, "seconds": round(self.seconds, 3), **content}
        with self.path.open("a") as file:
            file.write(f"{json.dumps(entry)}\n")


def read_entries(path: Path) -> list[dict]:
    """Every whole line of a journal; none if there is no file, and not the half of one that a killed run leaves."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("}\n")]


def curve(entries: list[dict]) -> list[dict]:
    """The validations, by iteration: [{"iter", "seconds", "sets": {set: {metric: value}}}]."""
    points: dict[int, dict] = {}
    for entry in entries:
        if "set" in entry:
            point = points.setdefault(entry["iter"], {"iter": entry["iter"], "seconds": entry["seconds"], "sets": {}})
            point["sets"][entry["set"]] = entry["metrics"]
    return [points[iteration] for iteration in sorted(points)]
