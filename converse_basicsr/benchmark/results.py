"""results.json: everything measured so far; the file is complete at any time."""

import json
import math
import time
from copy import deepcopy
from pathlib import Path

from ..errors import UserError
from ..files.atomic import write_text
from ..files.journal import curve
from .spec import Benchmark, Model

RESULTS = "results.json"
TIME = "%Y-%m-%d %H:%M:%S"
FINISHED = ("done", "diverged")
AS_GIVEN = "as given"  # in place of a seed: the run of a model that is not trained
WAITING = {"status": "waiting", "reason": None, "seconds": 0.0, "iterations": 0, "curve": [], "final": {}, "images": {}}


class Results:
    """The content of results.json; command line and environment are those of the first call."""

    def __init__(self, folder: Path, benchmark: Benchmark, command: str, environment: dict[str, str]):
        self.path = folder / RESULTS
        if self.path.is_file():
            self.content = read_results(self.path)
            return
        self.content = {
            "benchmark": {
                **{key: getattr(benchmark, key) for key in ("name", "file", "seeds", "budget", "scale")},
                "task": benchmark.options.get("task", benchmark.name),
                "command": command,
                "started": time.strftime(TIME),
                "finished": None,
                "sets": list(benchmark.sets),
                "metrics": {name: section.get("better", "higher") for name, section in benchmark.metrics.items()},
                "baseline": None,
            },
            "environment": environment,
            "models": {
                model.name: {
                    "network": model.network,
                    **dict.fromkeys(("uses_converse", "cost", "probe")),
                    "runs": {_key(seed): deepcopy(WAITING) for seed in benchmark.seeds_of(model)},
                }
                for model in benchmark.models
            },
        }
        self.save()

    def of(self, model: Model) -> dict:
        return self.content["models"][model.name]

    def run(self, model: Model, seed: int | None) -> dict:
        return self.of(model)["runs"][_key(seed)]

    def runs(self) -> list[dict]:
        return [run for model in self.content["models"].values() for run in model["runs"].values()]

    def save(self) -> None:
        head = self.content["benchmark"]
        if head["finished"] is None and all(run["status"] in FINISHED for run in self.runs()):
            head["finished"] = time.strftime(TIME)
        write_text(self.path, json.dumps(_with_inf_as_text(self.content), indent=1, allow_nan=False))


def read_results(path: Path) -> dict:
    """The content of results.json, with "inf" as the number; UserError if it cannot be read or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_hook=_with_inf_as_number)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; run basicsr benchmark first") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON: {error}") from error


def note_journal(run: dict, entries: list[dict]) -> None:
    """Update a run of results.json from its journal: progress, curve, divergence."""
    if entries:
        run.update(iterations=entries[-1]["iter"], seconds=entries[-1]["seconds"])
    points = curve(entries)
    run["curve"] = [point for point in points if not any(map(nan_metric, point["sets"].values()))]
    reasons = [entry["diverged"] for entry in entries if "diverged" in entry]
    for point in points:
        for name, metrics in point["sets"].items():
            if nan_metric(metrics):
                reasons.append(f"{nan_metric(metrics)} is nan on {name} at iteration {point['iter']}")
    if reasons:
        run.update(status="diverged", reason=reasons[0])


def note_final(run: dict) -> None:
    """Add the final metrics of a run to its curve, unless its training ended with a validation."""
    if run["final"] and (not run["curve"] or run["curve"][-1]["iter"] != run["iterations"]):
        sets = {name: measured["mean"] for name, measured in run["final"].items()}
        run["curve"].append({"iter": run["iterations"], "seconds": run["seconds"], "sets": sets})


def summary(images: dict[str, dict[str, float]]) -> dict:
    """{"mean": {metric: value}, "images": ...} of one set."""
    names = list(next(iter(images.values())))
    mean = {name: sum(metrics[name] for metrics in images.values()) / len(images) for name in names}
    return {"mean": mean, "images": images}


def nan_metric(metrics: dict[str, float]) -> str | None:
    """The first metric that is nan; inf is the PSNR of an image that is restored exactly."""
    return next((name for name, value in metrics.items() if math.isnan(value)), None)


def _key(seed: int | None) -> str:
    return AS_GIVEN if seed is None else str(seed)


def _with_inf_as_text(content: object) -> object:
    """The same with "inf" for the number, which JSON does not have."""
    if isinstance(content, dict):
        return {key: _with_inf_as_text(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_with_inf_as_text(value) for value in content]
    return str(content) if content in (math.inf, -math.inf) else content


def _with_inf_as_number(section: dict) -> dict:
    return {key: float(value) if value in ("inf", "-inf") else value for key, value in section.items()}
