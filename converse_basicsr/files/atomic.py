"""Atomic writing: a file is written beside its target, flushed to the disk, and then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

_SUFFIX = ".partial"


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A path to write to; it replaces `path` when the block ends. After an exception `path` is unchanged."""
    partial = Path(f"{path}{_SUFFIX}")
    try:
        yield partial
        _flush(partial)
        os.replace(partial, path)
        _flush(partial.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def remove_partial(folder: Path) -> None:
    """Remove what an interrupted program has left in a folder."""
    for partial in folder.glob(f"*{_SUFFIX}"):
        partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    is_folder = path.is_dir()
    with suppress(OSError) if is_folder else nullcontext():  # Windows and some file systems cannot flush folders
        descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
