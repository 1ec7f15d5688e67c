"""The folder of a benchmark: one benchmark in it, and one process at work on it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from ..errors import UserError
from ..files.atomic import write_text
from .spec import Benchmark

OPTIONS = "benchmark.yml"  # the options that the results belong to
_SHOWN = 3


def prepare_folder(benchmark: Benchmark, out: Path, force: bool) -> Path:
    """The folder out/NAME, new or of the same benchmark.

    Args:
        force: move a folder that is there aside, and begin anew.

    Raises:
        UserError: the folder belongs to other options (says which), or is no benchmark's.
    """
    folder = out / benchmark.name
    if folder.exists() and force:
        folder.rename(folder.with_name(f"{folder.name}_archived_{time.strftime('%Y%m%d_%H%M%S')}"))
    known = folder / OPTIONS
    if known.is_file():
        different = _differences(yaml.safe_load(known.read_text()), benchmark.options)
        if different:
            raise UserError(
                f"{benchmark.file}: {folder} has results of other options: {_listed(different)}; take another name, "
                "or --force to move them aside"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: is there and is no benchmark's; take another --out, or --force to move it aside")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(known, yaml.safe_dump(benchmark.options, sort_keys=False))
    return folder


def lock_file(folder: Path) -> Path:
    """Beside the folder, which may be moved aside while the lock is held."""
    return folder.with_name(f".{folder.name}.lock")


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Be the only process at work in the folder, which need not be there yet; wait where another is.

    Gives the number of an open file. Who inherits it holds the lock too: a training whose parent was killed works on
    until its end, and the next call waits for that instead of training the same beside it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(lock_file(folder), os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{folder}: process {os.read(file, 64).decode()} is at work there; waiting for its end", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        note_process(file, os.getpid())
        yield file
    finally:
        os.close(file)


def note_process(lock: int, pid: int) -> None:
    """Write the number of the process that is at work into the file of the lock."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(pid).encode(), 0)


def _differences(old: object, new: object, where: str = "") -> list[tuple[str, object, object]]:
    """(place, value there, value now) of everything that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = dict.fromkeys((*old, *new))
        return [
            found for key in keys for found in _differences(old.get(key), new.get(key), f"{where}:{key}".lstrip(":"))
        ]
    return [] if old == new else [(where, old, new)]


def _listed(different: list[tuple[str, object, object]]) -> str:
    shown = [f"{where} was {old!r}, is {new!r}" for where, old, new in different[:_SHOWN]]
    return "; ".join(shown + ([f"and {len(different) - _SHOWN} more"] if len(different) > _SHOWN else []))
