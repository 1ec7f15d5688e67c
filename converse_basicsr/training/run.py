"""A training from its checks to its report."""

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from basicsr.data import build_dataset
from basicsr.models import build_model

from ..checks import check_run
from ..errors import UserError, in_file, in_one_line
from ..files.journal import JOURNAL, Journal
from .experiment import note_options, only_run, prepare_folder
from .finished_options import ONE, finish_options
from .introduction import introduce, introduce_resume
from .iteration import explaining
from .logs import close_logs, log, note_error, open_logs
from .loop import Training
from .processes import Processes
from .report import report
from .resuming import restore, start_from
from .seeds import seed_generators
from .states import State, load_state, newest_state
from .stop_signals import StopSignals
from .training_data import TrainingData


@dataclass(frozen=True)
class Start:
    """How a training starts.

    Args:
        root: the folder that holds experiments/ and tb_logger/; it must exist.
        auto_resume: continue from the newest state of this name, if there is one.
        force: rename an earlier experiment of this name and start again.
        debug: see finish_options.
        with_report: print a table and save figures at the end.
        file: the option file, which messages about its options name; '' if there is none.
    """

    root: str = "."
    auto_resume: bool = False
    force: bool = False
    debug: bool = False
    with_report: bool = True
    file: str = ""


def train(given: dict, start: Start, processes: Processes) -> int:
    """Train with the options of a file; return 0, or the number of the signal that ended the training.

    Raises:
        UserError: wrong input, or an error that the user can fix; says what.
    """
    if not processes.is_first:
        processes.share(None)  # until rank 0 has checked the options
    else:
        with in_file(start.file):
            check_run(given, is_train=True)
        processes.share(None)
    opt = finish_options(given, start.root, True, processes, start.debug)
    if not processes.is_first:
        file = processes.share(None)  # until rank 0 has prepared the folder
        return _train(opt, given, load_state(file, opt) if file else None, start, processes)
    with only_run(Path(opt["path"]["experiments_root"])):
        state = _find_state(opt, start)
        prepare_folder(opt, state, start.auto_resume, start.force)
        processes.share(state.file if state else None)
        return _train(opt, given, state, start, processes)


def _find_state(opt: dict, start: Start) -> State | None:
    path = opt["path"].get("resume_state")
    state = newest_state(opt) if start.auto_resume else None
    state = state or (load_state(Path(path), opt) if path else None)
    if state and state.iteration > opt["train"]["total_iter"]:
        raise UserError(
            f"train:total_iter: {opt['train']['total_iter']} is less than the iteration of the state, {state.file}"
        )
    return state


def _train(opt: dict, given: dict, state: State | None, start: Start, processes: Processes) -> int:
    log_file = processes.share(note_options(opt, given) if processes.is_first else None)
    with logged(log_file, processes), explaining(opt["name"], lambda: "the start"):
        if state:
            start_from(state, opt)
            if given.get("manual_seed") is None:
                opt["manual_seed"] = state.content.get("manual_seed", opt["manual_seed"])
        torch.backends.cudnn.benchmark = True
        data = TrainingData(opt, processes)
        if state:
            introduce_resume(state, given, data.batch)
        val = [section for phase, section in opt["datasets"].items() if phase.startswith("val")]
        sets = [build_dataset(section) for section in val if opt.get("val") is not None]
        seed_generators(opt["manual_seed"])
        model = build_model(opt)
        iteration = position = 0
        if state:
            restore(state, model, given)
            iteration = state.iteration
            position = state.content.get("position", iteration * data.batch)
        journal = None
        if processes.is_first:
            journal = Journal(Path(opt["path"]["log"], JOURNAL), opt["logger"]["print_freq"])
            journal.resume(iteration)
        introduce(opt, model, data, sets, log_file)
        with StopSignals(processes.is_first) as signals:
            training = Training(
                opt, given, model, data, sets, processes, iteration, position, journal, start.with_report
            )
            stop = training.run(signals)
        if stop:
            log.info(
                f"stopped by {signal.Signals(stop).name} at iteration {training.iteration} of {training.total}; "
                "state saved. To continue, run the same command with --auto_resume"
            )
        elif start.with_report and processes.is_first:
            report(training.rows, opt)
        return stop


@contextmanager
def logged(log_file: Path | None, processes: Processes = ONE) -> Iterator[None]:
    """Within this context everything is logged, also why it ended."""
    try:
        open_logs(log_file if processes.is_first else None)
        yield
    except UserError as error:
        note_error(in_one_line(error))
        raise
    except Exception as error:  # a bug, or a failure that nobody foresaw
        processes.explain(error)
        note_error(traceback.format_exc())
        text = str(error).strip().splitlines()
        where = f" in rank {processes.rank}" if processes.rank else ""
        raise UserError(
            f"unexpected error{where}, {type(error).__name__}: {text[0] if text else ''} "
            f"(details: {log_file or '--traceback'})"
        ) from error
    finally:
        close_logs()
