"""The folder of a training: one run at a time works in it, and an earlier run in it is never lost."""

import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from ..errors import UserError
from ..files.atomic import remove_partial, write_text
from ..files.journal import JOURNAL, has_state
from .states import State, iterations_of

PATIENCE = 10.0  # seconds to wait for a run that is ending


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which need not exist yet; the lock ends with this process.

    Raises:
        UserError: another process holds it, or the folder above does not exist or cannot be written.
    """
    root = folder.parent.parent
    if not os.path.isdir(root):
        raise UserError(f"--root: no such folder: {root}")
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.parent.mkdir(exist_ok=True)
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        message = f"{folder}: another run is using this folder; wait until it ends, or choose another name"
        raise UserError(message) from error
    except OSError as error:
        raise UserError(f"{folder.parent}: cannot be written: {error.strerror}; choose another --root") from error
    try:
        yield
    finally:
        lock.release()


def prepare_folder(opt: dict, state: State | None, auto_resume: bool, force: bool) -> None:
    """Make the folders of an experiment.

    Args:
        opt: the finished options.
        state: the state that the training continues from, if any.
        auto_resume: start again if an earlier run was stopped before its first state.
        force: rename an earlier experiment of this name, and its tensorboard curves.

    Raises:
        UserError: the folder holds a run that this one would overwrite.
        OSError: a folder cannot be made.
    """
    folder = Path(opt["path"]["experiments_root"])
    found = iterations_of(folder / "training_states")
    inside = state is not None and state.file.resolve().parent == (folder / "training_states").resolve()
    if inside and not auto_resume and state.iteration < found[-1]:
        raise UserError(
            f"path:resume_state: {folder} holds a newer state, {found[-1]}.state, which this run would overwrite; "
            "choose another name, or continue from it with --auto_resume"
        )
    trained = found or any((folder / "models").glob("*.pth"))
    stopped_early = auto_resume and not found and not has_state(folder / JOURNAL)  # before its first state
    if trained and not inside and not stopped_early:
        if not force:
            raise UserError(_occupied(folder, found, auto_resume))
        archive(folder)
        archive(Path(opt["root_path"], "tb_logger", opt["name"]))
    folder.mkdir(exist_ok=True)
    for name in ("models", "training_states"):
        Path(opt["path"][name]).mkdir(exist_ok=True)
        remove_partial(Path(opt["path"][name]))


def note_options(opt: dict, given: dict) -> Path:
    """Write the options of this start, and the command, into the folder; return the path for the log beside them."""
    start = Path(opt["path"]["log"], f"{'train' if opt['is_train'] else 'test'}_{opt['name']}_{_now()}")
    command = shlex.join(["basicsr", *sys.argv[1:]])
    content = yaml.safe_dump(given, sort_keys=False, allow_unicode=True)
    write_text(start.with_suffix(".yml"), f"# {time.asctime()}\n# {command}\n{content}")
    return start.with_suffix(".log")


def archive(folder: Path) -> None:
    """Rename a folder, if it exists."""
    target = folder.with_name(f"{folder.name}_archived_{_now()}")
    number = 1
    while target.exists():
        number += 1
        target = folder.with_name(f"{folder.name}_archived_{_now()}_{number}")
    if folder.exists():
        folder.rename(target)


def _occupied(folder: Path, found: list[int], auto_resume: bool) -> str:
    if auto_resume:
        return f"{folder} holds trained networks, but no state. --force renames the folder and starts again"
    reached = f"a run that reached iteration {found[-1]}" if found else "trained networks"
    return (
        f"{folder} holds {reached}. --auto_resume continues it; --force renames the folder and starts again; another "
        "name leaves it alone"
    )


def _now() -> str:
    return time.strftime("%Y%m%d_%H%M%S")
