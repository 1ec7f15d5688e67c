"""A benchmark from its checks to its report: every step is saved, and a finished step is not repeated."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from ..checks.models import window_sizes
from ..compat import load_basicsr
from ..errors import UserError
from ..evaluation.measure import quietly, validation_set
from ..extras import install
from ..files.journal import read_entries
from ..inference.calling import pad_to_window, takes_kernel
from ..preparation.demo import build_demo_if_asked_for
from .as_given import find_missing, weights_of
from .converse import holds_converse
from .cost import measure_cost
from .environment import environment
from .final_metrics import measure_baseline, measure_run
from .folder import locked, prepare_folder
from .results import FINISHED, Results, note_final, note_journal
from .spec import Benchmark, Model, check_benchmark
from .training import EXPERIMENTS, files_of, train, why_it_ended

load_basicsr()

from basicsr.archs import build_network  # noqa: E402 (BasicSR can be imported from here on)

PROBE = (10, 40)  # a model's rate is measured between these iterations
COST_INPUT = 64  # largest side of the input that costs are measured on


def run_benchmark(benchmark: Benchmark, out: Path, command: str, force: bool = False) -> tuple[Results, list[Path]]:
    """Run a benchmark, or resume it, in its folder below `out`; return the results and the files of the report.

    With force it starts from the beginning, and an earlier folder is renamed. The command is for the record.

    Raises:
        UserError: a model or the recipe does not fit (nothing is trained then), or the folder is another benchmark's.
    """
    build_demo_if_asked_for(benchmark.recipe)
    missing = find_missing(benchmark)
    for name, reason in missing.items():
        print(f"left out: {name}: {reason}", flush=True)
    check_benchmark(benchmark, missing)
    with locked(out / benchmark.name):
        folder = prepare_folder(benchmark, out, force)
        where = environment(*used_devices(benchmark))
        runner = Runner(benchmark, folder, Results(folder, benchmark, command, where), where, missing)
        runner.measure_costs()
        runner.report()  # before the trainings: a missing package is reported now
        runner.evaluate_all()
        runner.train_all()
        return runner.results, runner.report()


@dataclass(frozen=True)
class Runner:
    """The steps of a benchmark."""

    benchmark: Benchmark
    folder: Path
    results: Results  # what is measured already
    environment: dict[str, str]  # where it runs now; the results hold where it began
    missing: dict[str, str]  # models that cannot be evaluated here, and why

    def measure_costs(self) -> None:
        """Measure the baseline, the cost of every model, and how many iterations the budget allows it."""
        head = self.results.content["benchmark"]
        if head["baseline"] is None:
            head["baseline"] = measure_baseline(self.benchmark, self.folder)
            self.results.save()
        for model in self.benchmark.models:
            if model.name in self.missing:
                continue
            known = self.results.of(model)
            if known.get("cost") is None:
                print(f"cost of {model.name}", flush=True)
                network = quietly(build_network, model.network)
                known["uses_converse"] = holds_converse(network)
                known["cost"] = {**self._measure_cost(model, network), "environment": self.environment}
                self.results.save()
            if model.is_trained and known["probe"] is None and "minutes" in self.benchmark.budget:
                known["probe"] = self._probe(model)
                self.results.save()

    def evaluate_all(self) -> None:
        """Evaluate the models that are not trained, unless that is done and their weights are the same."""
        models = [model for model in self.benchmark.models if not model.is_trained]
        for model in models:
            run = self.results.run(model, None)
            if model.name in self.missing:
                if run["status"] not in FINISHED:
                    run.update(status="missing", reason=self.missing[model.name])
                continue
            weights = weights_of(model)
            if run["status"] in FINISHED and run.get("weights") == weights:
                continue
            print(f"evaluating {model.name}", flush=True)
            run.update(status="stopped", reason="interrupted", weights=weights)
            try:
                run.update(measure_run(self.benchmark, model, None, self.folder))
            except Exception as error:  # a method of another package may raise any
                run["reason"] = f"{type(error).__name__}: {error}".splitlines()[0]
                print(f"{model.name}: stopped: {run['reason']}", flush=True)
            finally:
                self.results.save()
        self.results.save()

    def train_all(self) -> None:
        """Train every run that is not finished: all models with the first seed first, with a report after each seed."""
        models = [model for model in self.benchmark.models if model.is_trained]
        runs = [(model, seed) for seed in self.benchmark.seeds for model in models]
        if not runs:
            return
        left = [run for run in runs if self.results.run(*run)["status"] not in FINISHED]
        total, to_do = (sum(self._iterations(model) for model, _ in part) for part in (runs, left))
        with tqdm(total=total, initial=total - to_do, unit="iter", desc=self.benchmark.name) as bar:
            for model, seed in left:
                start = bar.n
                bar.set_postfix_str(f"{model.name} seed {seed}, run {runs.index((model, seed)) + 1} of {len(runs)}")
                self._run(model, seed, lambda iteration, start=start: bar.update(start + iteration - bar.n))
                bar.update(start + self._iterations(model) - bar.n)  # also after a run that ended early
                if model is models[-1] and seed != self.benchmark.seeds[-1]:
                    self.report()

    def report(self) -> list[Path]:
        """Write the report of the results so far."""
        try:
            from .reporting.pages import write_report
        except ImportError as error:
            raise UserError(f"the report needs jinja2 and matplotlib: {install('benchmark')} ({error})") from error
        return write_report(self.folder)

    def _iterations(self, model: Model) -> int:
        probe = self.results.of(model)["probe"]
        return probe["iterations"] if probe else int(self.benchmark.budget["iterations"])

    def _run(self, model: Model, seed: int, show: Callable[[int], None]) -> None:
        """Train and evaluate; the reason of a failure is recorded, and the benchmark continues."""
        total = self._iterations(model)
        opt = self.benchmark.run_options(model, seed, total)
        if opt["val"]["val_freq"] >= total:
            opt["val"] = None  # validated once, by measure_run
        run = self.results.run(model, seed)

        def look(entries: list[dict]) -> None:
            before = len(run["curve"])
            note_journal(run, entries)
            show(run["iterations"])
            if len(run["curve"]) != before:
                self.results.save()

        run.update(status="stopped", reason="interrupted")
        try:
            code = train(opt, self.folder, look)
            if run["status"] != "diverged":
                if code:
                    run["reason"] = why_it_ended(code, files_of(self.folder, opt["name"])[0])
                else:
                    run.update(measure_run(self.benchmark, model, seed, self.folder))
                    note_final(run)
        finally:
            self.results.save()
        if run["status"] != "done":
            tqdm.write(f"{model.name} seed {seed}: {run['status']}: {run['reason']}")

    def _measure_cost(self, model: Model, network: nn.Module) -> dict:
        sample = validation_set(next(iter(self.benchmark.sets.values())), self.benchmark.recipe)[0]
        corner = sample["lq"][None, :, :COST_INPUT, :COST_INPUT]
        inputs = (pad_to_window(corner, window_sizes(model.model_type, model.network)[1]),)
        if takes_kernel(network):
            inputs += (sample["kernel"][None], self.benchmark.scale)
        return measure_cost(network, inputs, self.benchmark.scale, used_devices(self.benchmark)[0])

    def _probe(self, model: Model) -> dict:
        """The rate of a short run, and how many iterations fill the minutes of the budget at that rate."""
        name = f"{self.benchmark.name}_{model.slug}_probe"
        opt = self.benchmark.run_options(model, self.benchmark.seeds[0], PROBE[1])
        logger = {**opt["logger"], "print_freq": 1, "save_checkpoint_freq": PROBE[1] + 1, "use_tb_logger": False}
        opt |= {"name": name, "val": None, "logger": logger}
        print(f"rate of {model.name}: {PROBE[1]} iterations", flush=True)
        code = train(opt, self.folder, lambda entries: None)
        log, journal = files_of(self.folder, name)
        entries = read_entries(journal)
        if code:
            raise UserError(f"{model.name}: cannot be timed for budget:minutes: {why_it_ended(code, log)}")
        seconds = {entry["iter"]: entry["seconds"] for entry in entries if "losses" in entry}
        rate = (seconds[PROBE[1]] - seconds[PROBE[0]]) / (PROBE[1] - PROBE[0])
        shutil.rmtree(self.folder / EXPERIMENTS / name)
        return {"seconds_per_iteration": rate, "iterations": max(1, int(self.benchmark.budget["minutes"] * 60 / rate))}


def used_devices(benchmark: Benchmark) -> list[str]:
    """The devices of num_gpu, as BasicSR reads it."""
    gpus = benchmark.recipe.get("num_gpu", "auto")
    gpus = torch.cuda.device_count() if gpus == "auto" else gpus
    return [f"cuda:{index}" for index in range(gpus)] or ["cpu"]
