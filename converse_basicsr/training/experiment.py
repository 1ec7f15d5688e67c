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
        message = f"{folder}: another run works in this folder; wait for its end, or choose another name"
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
        auto_resume: start again in the folder of a run that ended before its first state.
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
    if trained and not inside and not (auto_resume and not has_state(folder / JOURNAL)):
        if not force:
            reached = (
                f"a run that reached iteration {found[-1]}: --auto_resume continues it"
                if found
                else "trained networks, and no state that --auto_resume could continue"
            )
            raise UserError(
                f"{folder} holds {reached}; --force renames the folder and starts again; or choose another name"
            )
        archive(folder)
        archive(Path(opt["root_path"], "tb_logger", opt["name"]))
    for name in ("experiments_root", "models", "training_states"):
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
    """Rename a folder, if it exists; the new name is free."""
    if folder.exists():
        archived = target = folder.with_name(f"{folder.name}_archived_{_now()}")
        number = 1
        while os.path.lexists(target):
            number += 1
            target = archived.with_name(f"{archived.name}_{number}")
        folder.rename(target)


def _now() -> str:
    return time.strftime("%Y%m%d_%H%M%S")
