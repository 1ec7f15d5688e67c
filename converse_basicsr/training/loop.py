"""The training loop: one iteration after the other, with logs, saved states and validations between them."""

import math
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from ..errors import UserError
from ..evaluation.measure import Row
from ..files.journal import Journal
from .curves import Curves
from .display import Display
from .finite import OwnLosses, not_finite, skipped_step
from .iteration import explaining, files_in, listed_files, train_iteration
from .logs import log
from .processes import Processes
from .saving import save_networks, save_state
from .stop_signals import StopSignals
from .training_data import TrainingData
from .validation import means, measures_itself, own_results, validate


class Training:
    """A training from its start, or from a state, to total_iter.

    Args:
        opt: the finished options.
        given: the options as read from the file.
        model: a model of BasicSR, restored if the training continues.
        data: the training data.
        sets: the validation sets.
        processes: the processes of the run.
        iteration: the last iteration that is finished.
        position: number of samples that all processes have used.
        journal: None on all processes but the first.
        with_report: keep what the report needs from the last validation.
    """

    def __init__(
        self,
        opt: dict,
        given: dict,
        model: Any,
        data: TrainingData,
        sets: list[Dataset],
        processes: Processes,
        iteration: int,
        position: int,
        journal: Journal | None,
        with_report: bool,
    ):
        self.opt, self.given, self.model, self.data, self.sets = opt, given, model, data, sets
        self.processes, self.journal, self.with_report = processes, journal, with_report
        self.iteration, self.position = iteration, position
        self.total = opt["train"]["total_iter"]
        self.val = opt.get("val") or {}
        self.rows: dict[str, list[Row]] = {}  # of the last validation
        self.saved = iteration
        self.own_losses = OwnLosses(model)
        self.curves = Curves(opt, iteration, processes.is_first)
        self.display = Display(opt, iteration, processes.is_first)

    def run(self, signals: StopSignals) -> int:
        """Train; return 0, or the number of the signal that ended the training after saving its state.

        Raises:
            UserError: a file cannot be read or written, a value is not finite, or memory is too small.
        """
        try:
            with explaining(self.opt["name"], self._where):
                return self._run(signals)
        finally:
            self.display.close()
            self.curves.close()

    def _where(self) -> str:
        return f"iteration {self.iteration}" if self.iteration else "the start"

    def _run(self, signals: StopSignals) -> int:
        stop = self._validate_what_is_missing(signals)
        if stop:
            return stop
        waiting = time.perf_counter()
        for batch in self.data.batches(self.position, self.total - self.iteration):
            waited = time.perf_counter() - waiting
            self._train(batch, waited)
            stop = self.processes.largest([signals.received])[0]
            with self._pause():
                if stop or self._due("save_checkpoint_freq") or self.iteration == self.total:
                    self._save()
                if self.iteration == self.total:
                    self._save_as("latest")
                if not stop and (self._due("val_freq") or self.iteration == self.total):
                    stop = self._validate(signals)
                    if stop:
                        self._save()
            if stop:
                return stop
            waiting = time.perf_counter()
        return 0

    def _validate_what_is_missing(self, signals: StopSignals) -> int:
        """Validate the iteration of the state that the training continues from, if the earlier run did not."""
        last = self.iteration == self.total
        if last:
            self._save_as("latest")
        if not self.iteration or not (last or self._due("val_freq")):
            return 0
        names = {dataset.opt["name"] for dataset in self.sets}
        known = self.processes.share(self.journal is not None and self.journal.is_validated(self.iteration, names))
        if known and not (last and self.with_report):
            return 0
        return self._validate(signals, note=not known)

    def _train(self, batch: dict, waited: float) -> None:
        self.iteration += 1
        self.position += self.data.batch
        model = self.model
        self.own_losses.forget()
        losses = train_iteration(model, batch, self.opt, self.iteration, self.processes.rank)
        self._check_finite(losses, batch)
        if skipped_step(model):
            self._note_skipped(losses, batch)
        if self.journal:
            self.journal.trained(self.iteration, losses)
        self.display.trained(self.iteration, losses, model.get_current_learning_rate()[0], waited)
        self.curves.trained(self.iteration, losses)

    def _check_finite(self, losses: dict[str, float], batch: dict) -> None:
        found = not_finite(losses if self.processes.is_first else {}, self.model.optimizers)
        if not self.processes.largest([int(found is not None)])[0]:
            return
        reports = self.processes.gather((found, self.own_losses.are_finite(), files_in(batch)))
        reason = next(found for found, _, _ in reports if found)
        everywhere = all(finite for _, finite, _ in reports)  # a gradient, which the processes share
        names = [name for _, finite, files in reports if everywhere or not finite for name in files]
        if self.journal:
            self.journal.diverged(self.iteration, f"{reason} at iteration {self.iteration}")
        advice = ", or train:amp: bf16" if self.opt["train"].get("amp") == "fp16" else ""
        last = f"Last saved state: {self.saved}" if self.saved else "No state was saved yet"
        raise UserError(
            f"the training diverged at iteration {self.iteration}: {reason}. Files of this batch: "
            f"{listed_files(names)}. {last}. A lower train:optim_g:lr{advice} may help"
        )

    def _note_skipped(self, losses: dict[str, float], batch: dict) -> None:
        files = [name for names in self.processes.gather(files_in(batch)) for name in names]
        log.info(
            f"iteration {self.iteration:,}: the gradients are not finite, the step is skipped; loss_scale is now "
            f"{losses['loss_scale']:g}. Files of this batch: {listed_files(files)}",
            extra={"only_file": True},
        )

    def _save(self) -> None:
        if self.processes.is_first and self.saved != self.iteration:
            epoch = self.position // self.data.epoch
            save_state(self.model, self.opt, self.given, self.iteration, self.position, self.data.batch, epoch)
            self.journal.saved()
        self.saved = self.iteration

    def _save_as(self, name: str, notes: dict | None = None) -> None:
        if self.processes.is_first:
            save_networks(self.model, self.opt, name, {"iter": self.iteration, **(notes or {})})

    def _validate(self, signals: StopSignals, note: bool = True) -> int:
        """Measure all validation sets; return the number of a signal that came meanwhile, which ends it early.

        Args:
            signals: the signals received.
            note: False if the journal has the results already.
        """
        if self.opt.get("val") is None:
            return 0
        results = {}
        for dataset in self.sets:
            name = dataset.opt["name"]
            if measures_itself(self.model):
                loader = torch.utils.data.DataLoader(dataset)
                self.model.validation(loader, self.iteration, self.curves.writer, self.val.get("save_img", False))
                results[name] = own_results(self.model, self.val.get("metrics") or {})
            else:
                save_as = self._place if self.val.get("save_img") else None
                report = self.with_report and self.iteration == self.total
                self.rows[name] = validate(
                    self.model, dataset, self.opt, self.processes, save_as, report, lambda: bool(signals.received)
                )
                stop = self.processes.largest([signals.received])[0]
                if stop:
                    return stop
                results[name] = means(self.rows[name])
        if self.journal and note:
            self._keep_best(results)  # before the journal: a run that is killed here repeats the validation
            self._note(results)
        return 0

    def _note(self, results: dict[str, dict[str, float]]) -> None:
        for name, measured in results.items():
            self.journal.validated(name, measured)
            self.curves.validated(self.iteration, name, measured)
            parts = []
            for metric, value in measured.items():
                best, iteration = self.journal.best(metric, self._better(metric), name) or (value, self.iteration)
                parts.append(f"{metric} {value:.4f} (best: {best:.4f}, iteration {iteration})")
            if parts:
                log.info(f"validation of {name} at iteration {self.iteration}: {', '.join(parts)}")

    def _keep_best(self, results: dict[str, dict[str, float]]) -> None:
        metric = self.opt["logger"].get("keep_best")
        values = [measured[metric] for measured in results.values() if metric in measured]
        if not values:
            return
        value, known = sum(values) / len(values), self.journal.best(metric, self._better(metric))
        if math.isnan(value):
            return
        if known is None or (value > known[0] if self._better(metric) == "higher" else value < known[0]):
            self._save_as("best", {"metric": metric, "value": value})
            log.info(f"saved net_*_best.pth: best {metric} so far, {value:.4f}")

    def _better(self, metric: str) -> str:
        return ((self.val.get("metrics") or {}).get(metric) or {}).get("better", "higher")

    def _due(self, key: str) -> bool:
        frequency = self.opt["logger"].get(key) if key == "save_checkpoint_freq" else self.val.get(key)
        return bool(frequency) and self.iteration % frequency == 0

    def _place(self, image: str) -> Path:
        return Path(self.opt["path"]["visualization"], image, f"{image}_{self.iteration}.png")

    @contextmanager
    def _pause(self):
        begin = time.perf_counter()
        yield
        self.display.paused(time.perf_counter() - begin)
