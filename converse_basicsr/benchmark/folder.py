"""The folder of a benchmark: it belongs to one benchmark, and one process works on it."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from ..errors import UserError
from ..files.atomic import write_text
from ..options.places import by_place
from .spec import Benchmark

OPTIONS = "benchmark.yml"  # the options that the results belong to
TRAINING = "training.lock"
MAX_SHOWN = 3  # differences in a message


def prepare_folder(benchmark: Benchmark, out: Path, force: bool) -> Path:
    """The folder out/NAME, new or of the same benchmark; with force, an existing one is renamed.

    Raises:
        UserError: the folder belongs to other options (says which), or to no benchmark.
    """
    folder = out / benchmark.name
    if folder.exists() and force:
        folder.rename(folder.with_name(f"{folder.name}_archived_{time.strftime('%Y%m%d_%H%M%S')}"))
    known = folder / OPTIONS
    if known.is_file():
        old, new = by_place(yaml.safe_load(known.read_text(encoding="utf-8"))), by_place(benchmark.options)
        places = [place for place in old | new if old.get(place) != new.get(place)]
        if places:
            shown = "; ".join(f"{place} was {old.get(place)!r}, is {new.get(place)!r}" for place in places[:MAX_SHOWN])
            raise UserError(
                f"{benchmark.file}: {folder} has results of other options ({len(places)} differ: {shown}); choose "
                "another name, or --force to rename the folder"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: exists and has no {OPTIONS}; choose another --out, or --force to rename the folder")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(known, yaml.safe_dump(benchmark.options, sort_keys=False))
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder, which need not exist yet; wait while another process holds it.

    Every training holds a lock of its own (worker.py), so one that outlived its benchmark is waited for too.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out: {folder.parent} cannot be made a folder: {error.strerror}") from error
    with _wait_for(lock_file(folder), folder):
        with _wait_for(lock_file(folder, TRAINING), folder):
            pass
        yield


def lock_file(folder: Path, name: str = "lock") -> Path:
    """Beside the folder, which may be renamed while the lock is held; name: lock or TRAINING."""
    return folder.with_name(f".{folder.name}.{name}")


def _wait_for(file: Path, folder: Path) -> AbstractContextManager:
    lock = FileLock(file)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print(f"{folder}: another process works on it; waiting for its end", flush=True)
        return lock.acquire()
