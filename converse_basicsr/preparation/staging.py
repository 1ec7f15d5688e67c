"""All or nothing: files and folders are made beside their place and put there when all are complete."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def staged(*targets: Path, force: bool = False) -> Iterator[list[Path]]:
    """Paths to write to in place of the targets; what is there takes their place when the block ends.

    If it ends with an exception, or one of them cannot be put in place, nothing has changed.

    Args:
        targets: files or folders; their parents are made.
        force: replace those that exist.

    Raises:
        FileExistsError: at the end, without force: a target exists.
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
    moves = []  # (from, to), to be undone from the last to the first
    try:
        for made, target in pairs:
            if os.path.lexists(target):
                if not force:
                    raise FileExistsError(f"{target} has appeared in the meantime")
                previous = made.with_name(f"previous-{made.name}")
                os.rename(target, previous)
                moves.append((target, previous))
            os.rename(made, target)
            moves.append((made, target))
    except BaseException:
        for source, destination in reversed(moves):
            os.rename(destination, source)
        raise
