"""One run, trained by ``basicsr train`` in its own process, so that a crash ends this run only."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from ..files.journal import JOURNAL, read_entries
from .folder import TRAINING, lock_file

POLL = 1.0  # seconds between two looks at the journal
GRACE = 20.0  # seconds in which a training has to end after it is terminated
EXPERIMENTS = "experiments"  # BasicSR's name


def train(opt: dict, folder: Path, look: Callable[[list[dict]], None]) -> int:
    """Train with an ordinary option file, or resume from the latest saved state; return the exit code.

    look is called with the journal about once a second, and when the process has ended.
    """
    file = folder / "options" / f"{opt['name']}.yml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(opt, sort_keys=False), encoding="utf-8")
    log, journal = files_of(folder, opt["name"])
    arguments = ["train", "-opt", str(file), "--root", str(folder), "--auto_resume", "--no_report"]
    try:
        return run_command(arguments, folder, log, lambda: look(read_entries(journal)))
    finally:
        look(read_entries(journal))


def files_of(folder: Path, name: str) -> tuple[Path, Path]:
    """The log and the journal of a run."""
    return folder / "logs" / f"{name}.log", folder / EXPERIMENTS / name / JOURNAL


def run_command(arguments: list[str], folder: Path, log: Path, look: Callable[[], None]) -> int:
    """Run the command ``basicsr`` under the folder's training lock, its output appended to a file.

    If this process is interrupted, the command is ended too.
    """
    log.parent.mkdir(exist_ok=True)
    worker = [sys.executable, "-m", "converse_basicsr.benchmark.worker", str(lock_file(folder, TRAINING))]
    with log.open("ab") as output:
        process = subprocess.Popen([*worker, *arguments], stdout=output, stderr=subprocess.STDOUT)
    try:
        while True:
            try:
                return process.wait(POLL)
            except subprocess.TimeoutExpired:
                look()
    except BaseException:
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def why_it_ended(code: int, log: Path) -> str:
    """The reason for an exit code other than 0, in one line: the signal, or the last line of the log."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}{' (out of memory?)' if -code == signal.SIGKILL else ''}"
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.is_file() else []
    return lines[-1] if lines else f"exit code {code}"
