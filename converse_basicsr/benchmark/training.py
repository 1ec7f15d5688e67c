"""One run, trained by ``basicsr train`` in a process of its own: what becomes of it does not reach the others."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from ..files.journal import JOURNAL, read_entries
from .folder import note_process

POLL = 1.0  # seconds from one look at the journal to the next
GRACE = 20.0  # seconds that a training is given to end when it is told to
PROBE = (10, 40)  # seconds of an iteration are measured between these two
EXPERIMENTS = "experiments"  # as BasicSR names it


def train(opt: dict, folder: Path, lock: int, look: Callable[[list[dict]], None]) -> int:
    """Train, or go on from the latest saved state.

    Args:
        opt: an ordinary option file.
        folder: of the benchmark.
        lock: an open file that the process is to inherit.
        look: called with the journal about once a second, and when the process has ended.

    Returns:
        The exit code.
    """
    file = folder / "options" / f"{opt['name']}.yml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(opt, sort_keys=False))
    journal = journal_file(folder, opt["name"])
    arguments = ["train", "-opt", str(file), "--root", str(folder), "--auto_resume", "--no_report"]
    try:
        return run_command(arguments, log_file(folder, opt["name"]), lock, lambda: look(read_entries(journal)))
    finally:
        look(read_entries(journal))


def log_file(folder: Path, name: str) -> Path:
    return folder / "logs" / f"{name}.log"


def journal_file(folder: Path, name: str) -> Path:
    return folder / EXPERIMENTS / name / JOURNAL


def checkpoint_file(folder: Path, name: str) -> Path:
    return folder / EXPERIMENTS / name / "models/net_g_latest.pth"


def run_command(arguments: list[str], log: Path, lock: int, look: Callable[[], None]) -> int:
    """Run the command ``basicsr`` with its output added to a file; end it if this process is to end."""
    log.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "converse_basicsr", *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, pass_fds=(lock,))
    note_process(lock, process.pid)
    try:
        while True:
            try:
                return process.wait(POLL)
            except subprocess.TimeoutExpired:
                look()
    finally:
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def why_it_ended(code: int, log: Path) -> str:
    """The reason that a log gives for an exit code other than 0, in one line."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}{' (out of memory?)' if code == -signal.SIGKILL else ''}"
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.is_file() else []
    return lines[-1] if lines else f"exit code {code}"


def probe_options(opt: dict, name: str) -> dict:
    """The options of a short run that is there to be timed: of PROBE iterations, without validation."""
    logger = {**opt["logger"], "print_freq": 1, "save_checkpoint_freq": PROBE[1] + 1, "use_tb_logger": False}
    return {**opt, "name": name, "val": None, "logger": logger}


def seconds_per_iteration(entries: list[dict]) -> float:
    """Of a probe's journal; the first iterations are left out."""
    seconds = {entry["iter"]: entry["seconds"] for entry in entries if "losses" in entry}
    first, last = PROBE
    return (seconds[last] - seconds[first]) / (last - first)
