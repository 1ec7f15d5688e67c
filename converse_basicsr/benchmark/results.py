"""results.json: what is known of a benchmark so far, whole at any time."""

import json
import math
import time
from pathlib import Path

from ..files.atomic import write_text
from .spec import Benchmark, Entrant

RESULTS = "results.json"


class Results:
    """The content of results.json, saved after every change that matters.

    Args:
        folder: of the benchmark.
        benchmark: its description.
        command: the command line.
        environment: where it runs; that of the first call stays.
    """

    def __init__(self, folder: Path, benchmark: Benchmark, command: str, environment: dict[str, str]):
        self.path = folder / RESULTS
        if self.path.is_file():
            self.content = json.loads(self.path.read_text())
            return
        self.content = {
            "benchmark": {
                "name": benchmark.name,
                "task": benchmark.options.get("task", benchmark.name),
                "file": benchmark.file,
                "command": command,
                "started": _now(),
                "finished": None,
                "seeds": benchmark.seeds,
                "budget": benchmark.budget,
                "sets": list(benchmark.sets),
                "metrics": list(benchmark.metrics),
                "better": {name: section.get("better", "higher") for name, section in benchmark.metrics.items()},
                "scale": benchmark.scale,
                "baseline": None,
            },
            "environment": environment,
            "entrants": {
                entrant.name: {
                    "network": entrant.network,
                    "cost": None,
                    "probe": None,
                    "runs": {str(seed): _waiting() for seed in benchmark.seeds},
                }
                for entrant in benchmark.entrants
            },
        }
        self.save()

    def of(self, entrant: Entrant) -> dict:
        return self.content["entrants"][entrant.name]

    def run(self, entrant: Entrant, seed: int) -> dict:
        return self.of(entrant)["runs"][str(seed)]

    def runs(self) -> list[dict]:
        return [run for entrant in self.content["entrants"].values() for run in entrant["runs"].values()]

    def finish(self) -> None:
        """Note the time if nothing is left to do."""
        head = self.content["benchmark"]
        if head["finished"] is None and all(run["status"] in ("done", "diverged") for run in self.runs()):
            head["finished"] = _now()
        self.save()

    def save(self) -> None:
        write_text(self.path, json.dumps(_with_inf_as_text(self.content), indent=1, allow_nan=False))


def summary(images: dict[str, dict[str, float]]) -> dict:
    """{"mean": {metric: value}, "images": ...} of one set."""
    names = list(next(iter(images.values())))
    mean = {name: sum(metrics[name] for metrics in images.values()) / len(images) for name in names}
    return {"mean": mean, "images": images}


def not_a_number(metrics: dict[str, float]) -> str | None:
    """The first metric that is nan, in words; inf is the PSNR of an image that is restored exactly."""
    return next((f"{name} is {value}" for name, value in metrics.items() if math.isnan(value)), None)


def _with_inf_as_text(content: object) -> object:
    """The same with "inf" for the number, which JSON does not have."""
    if isinstance(content, dict):
        return {key: _with_inf_as_text(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_with_inf_as_text(value) for value in content]
    return str(content) if isinstance(content, float) and math.isinf(content) else content


def _waiting() -> dict:
    return {
        "status": "waiting",
        "reason": None,
        "seconds": 0.0,
        "iterations": 0,
        "curve": [],
        "final": {},
        "images": {},
    }


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
