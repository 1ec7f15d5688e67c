"""A benchmark from its checks to its report: every step is kept, and one that is done is not done again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from tqdm import tqdm

from basicsr.archs import build_network

from ..checks.models import window_size
from ..errors import UserError
from ..evaluation.measure import quietly, validation_set
from ..files.journal import curve, read_entries
from ..inference.calling import pad_to_window, takes_kernel
from ..preparation.demo import build_demo_if_asked_for
from .converse import holds_converse
from .environment import environment
from .final_metrics import measure_baseline, measure_run
from .folder import locked, prepare_folder
from .results import Results, not_a_number
from .spec import Benchmark, Entrant, check_benchmark
from .training import (
    EXPERIMENTS,
    PROBE,
    checkpoint_file,
    journal_file,
    log_file,
    probe_options,
    seconds_per_iteration,
    train,
    why_it_ended,
)

COST_INPUT = 64  # side of the input that cost is measured on, at most
SHORT_EPOCHS = "BasicSR counts the incomplete batch of an epoch and drops it; a larger dataset_enlarge_ratio mends it"
FINISHED = ("done", "diverged")


def run_benchmark(benchmark: Benchmark, out: Path, command: str, force: bool = False) -> tuple[Results, list[Path]]:
    """Run a benchmark, or go on with it.

    Args:
        benchmark: what to run.
        out: its folder is made in this one.
        command: the command line, for the record.
        force: begin anew; an earlier folder is moved aside.

    Returns:
        The results, and the files of the report.

    Raises:
        UserError: an entrant or the recipe does not fit (nothing is trained then), or the folder is another's.
    """
    build_demo_if_asked_for(benchmark.recipe)
    check_benchmark(benchmark)
    with locked(out / benchmark.name) as lock:
        folder = prepare_folder(benchmark, out, force)
        where = environment(*_used_devices(benchmark))
        runner = Runner(benchmark, folder, Results(folder, benchmark, command, where), where, lock)
        runner.measure_before()
        runner.report()  # what it lacks is said now, and not after the trainings
        runner.train_all()
        runner.results.finish()
        return runner.results, runner.report()


class Runner:
    """The steps of a benchmark in its folder.

    Args:
        benchmark: what to run.
        folder: of the benchmark.
        results: what is known of it.
        environment: where it runs now; that of the results is where it began.
        lock: an open file that trainings are to inherit.
    """

    def __init__(self, benchmark: Benchmark, folder: Path, results: Results, environment: dict[str, str], lock: int):
        self.benchmark = benchmark
        self.folder = folder
        self.results = results
        self.environment = environment
        self.lock = lock

    def measure_before(self) -> None:
        """The baseline, what every entrant costs, and how many iterations the budget gives it."""
        head = self.results.content["benchmark"]
        if head["baseline"] is None:
            head["baseline"] = measure_baseline(self.benchmark, self.folder)
            self.results.save()
        for entrant in self.benchmark.entrants:
            known = self.results.of(entrant)
            if "uses_converse" not in known:
                known["uses_converse"] = holds_converse(quietly(build_network, entrant.network))
                self.results.save()
            if known.get("cost") is None:
                print(f"cost of {entrant.name}", flush=True)
                known["cost"] = {**self._measure_cost(entrant), "environment": self.environment}
                self.results.save()
            if known["probe"] is None and "minutes" in self.benchmark.budget:
                known["probe"] = self._probe(entrant)
                self.results.save()

    def train_all(self) -> None:
        """Every run that is not finished; all entrants with the first seed first, and a report after each seed."""
        runs = [(entrant, seed) for seed in self.benchmark.seeds for entrant in self.benchmark.entrants]
        totals = [self.iterations(entrant) for entrant, _ in runs]
        finished = [self.results.run(*run)["status"] in FINISHED for run in runs]
        done = sum(total for total, is_finished in zip(totals, finished, strict=True) if is_finished)
        with tqdm(total=sum(totals), initial=done, unit="iter", desc=self.benchmark.name) as bar:
            for number, ((entrant, seed), total) in enumerate(zip(runs, totals, strict=True), start=1):
                if finished[number - 1]:
                    continue
                bar.set_postfix_str(f"{entrant.name} seed {seed}, run {number} of {len(runs)}")
                start = bar.n

                def show(iteration: int, start: int = start) -> None:
                    bar.update(start + iteration - bar.n)

                self._run(entrant, seed, show)
                show(total)  # a run that ended early leaves nothing to wait for
                if entrant is self.benchmark.entrants[-1] and number < len(runs):
                    self.report()

    def report(self) -> list[Path]:
        """The files of the report, made of what is known."""
        from .reporting import write_report

        return write_report(self.folder)

    def iterations(self, entrant: Entrant) -> int:
        """Of each of its trainings."""
        probe = self.results.of(entrant)["probe"]
        return probe["iterations"] if probe else int(self.benchmark.budget["iterations"])

    def _run(self, entrant: Entrant, seed: int, show: Callable[[int], None]) -> None:
        """Train and evaluate; a run that fails is noted, and the others go on."""
        total = self.iterations(entrant)
        opt = self.benchmark.run_options(entrant, seed, total)
        run = self.results.run(entrant, seed)

        def look(entries: list[dict]) -> None:
            before = len(run["curve"])
            _note(run, entries)
            show(run["iterations"])
            if len(run["curve"]) != before:
                self.results.save()

        run.update(status="stopped", reason="interrupted")
        try:
            code = train(opt, self.folder, self.lock, look)
            if run["status"] != "diverged":
                if code:
                    run["reason"] = why_it_ended(code, log_file(self.folder, opt["name"]))
                elif run["iterations"] < total:
                    run["reason"] = f"ended at iteration {run['iterations']} of {total}: {SHORT_EPOCHS}"
                else:
                    self._evaluate(entrant, seed, run)
        finally:
            self.results.save()
        if run["status"] != "done":
            tqdm.write(f"{entrant.name} seed {seed}: {run['status']}: {run['reason']}")

    def _evaluate(self, entrant: Entrant, seed: int, run: dict) -> None:
        checkpoint = checkpoint_file(self.folder, self.benchmark.run_name(entrant, seed))
        final, images = measure_run(self.benchmark, entrant, seed, checkpoint, self.folder)
        for name, measured in final.items():
            reason = not_a_number(measured["mean"])
            if reason:
                run.update(status="diverged", reason=f"{reason} on {name} at the end")
                return
        run.update(status="done", reason=None, final=final, images=images)

    def _measure_cost(self, entrant: Entrant) -> dict:
        from .cost import measure_cost

        network = quietly(build_network, entrant.network)
        sample = validation_set(next(iter(self.benchmark.sets.values())), self.benchmark.recipe)[0]
        corner = sample["lq"][None, :, :COST_INPUT, :COST_INPUT]
        inputs = (pad_to_window(corner, window_size(entrant.model_type, entrant.network)),)
        if takes_kernel(network):
            inputs += (sample["kernel"][None], self.benchmark.scale)
        return measure_cost(network, inputs, self.benchmark.scale, _used_devices(self.benchmark)[0])

    def _probe(self, entrant: Entrant) -> dict:
        """How many iterations fill the minutes of the budget, by the rate of a short run."""
        name = f"{self.benchmark.name}_{entrant.slug}_probe"
        opt = probe_options(self.benchmark.run_options(entrant, self.benchmark.seeds[0], PROBE[1]), name)
        print(f"rate of {entrant.name}: {PROBE[1]} iterations", flush=True)
        code = train(opt, self.folder, self.lock, lambda entries: None)
        entries = read_entries(journal_file(self.folder, name))
        if code:
            raise UserError(f"{entrant.name}: cannot be timed: {why_it_ended(code, log_file(self.folder, name))}")
        reached = max((entry["iter"] for entry in entries), default=0)
        if reached < PROBE[1]:
            reason = f"its short training ended at iteration {reached} of {PROBE[1]}: {SHORT_EPOCHS}"
            raise UserError(f"{entrant.name}: cannot be timed for budget:minutes: {reason}")
        rate = seconds_per_iteration(entries)
        shutil.rmtree(self.folder / EXPERIMENTS / name)
        iterations = max(1, int(self.benchmark.budget["minutes"] * 60 / rate))
        return {"seconds_per_iteration": rate, "iterations": iterations}


def _used_devices(benchmark: Benchmark) -> list[str]:
    """Those of num_gpu, as BasicSR takes it."""
    gpus = benchmark.recipe.get("num_gpu", "auto")
    gpus = torch.cuda.device_count() if gpus == "auto" else gpus
    return [f"cuda:{index}" for index in range(gpus)] or ["cpu"]


def _note(run: dict, entries: list[dict]) -> None:
    """Put what a journal says into a run of results.json."""
    if entries:
        run.update(iterations=entries[-1]["iter"], seconds=entries[-1]["seconds"])
    points = curve(entries)
    run["curve"] = [point for point in points if not any(map(not_a_number, point["sets"].values()))]
    reasons = [entry["diverged"] for entry in entries if "diverged" in entry]
    for point in points:
        for name, metrics in point["sets"].items():
            if not_a_number(metrics):
                reasons.append(f"{not_a_number(metrics)} on {name} at iteration {point['iter']}")
    if reasons:
        run.update(status="diverged", reason=reasons[0])
