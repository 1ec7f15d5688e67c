"""Atomic writing of several files and folders: made beside their targets, moved when all are complete."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def staged(*targets: Path, force: bool = False) -> Iterator[list[Path]]:
    """Paths to write to instead of the targets; they are moved to the targets when the block ends.

    After an exception in the block or while moving, the targets are unchanged.

    Args:
        targets: files or folders; their parents are created.
        force: replace existing targets.

    Raises:
        FileExistsError: a target exists at the end and force is False.
        OSError: a folder cannot be written.
    """
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(_folder_beside(target))) for target in targets]
        made = [folder / target.name for folder, target in zip(folders, targets, strict=True)]
        yield made
        _put_in_place(list(zip(made, targets, strict=True)), force)


@contextmanager
def _folder_beside(target: Path) -> Iterator[str]:
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(pairs: list[tuple[Path, Path]], force: bool) -> None:
    moves = []  # (from, to), undone in reverse order after an error
    try:
        for made, target in pairs:
            if os.path.lexists(target):
                if not force:
                    raise FileExistsError(f"{target} was created by another process")
                previous = made.with_name(f"previous-{made.name}")
                os.rename(target, previous)
                moves.append((target, previous))
            os.rename(made, target)
            moves.append((made, target))
    except BaseException:
        for source, destination in reversed(moves):
            os.rename(destination, source)
        raise
