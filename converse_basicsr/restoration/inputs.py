"""The input files: those that are named, in folders, or match a pattern."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError, plain
from ..files.image_folder import IMAGE_SUFFIXES, entries_below


@dataclass(frozen=True)
class Found:
    """An input file, and its path within the folder that was given (for a file, its name)."""

    source: Path
    name: Path


def find_inputs(inputs: Sequence[str], recursive: bool, out: Path) -> list[Found]:
    """The files that are meant by files, folders and patterns, in this order, each once.

    Of a folder those with a usual image suffix are taken, in its subfolders too if recursive; nothing from the output
    folder.

    Raises:
        UserError: an input does not exist, or a folder or pattern holds no image.
    """
    found: dict[Path, Found] = {}
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            each = in_folder(path, recursive, out)
        elif os.path.lexists(path):
            each = [Found(path, Path(path.name))]
        elif glob.has_magic(text):
            each = _matching(text)
        else:
            raise UserError(f"no such file or folder: {plain(text)}")
        for one in each:
            found.setdefault(one.source, one)
    return list(found.values())


def in_folder(folder: Path, recursive: bool, out: Path | None) -> list[Found]:
    """The images in a folder, sorted, without those in the folder `out`.

    Raises:
        UserError: there is none.
    """
    entries = (Path(entry.path) for entry in entries_below(folder, recursive))
    images = sorted(path for path in entries if path.suffix.lower() in IMAGE_SUFFIXES)
    if out is not None and out.absolute() != folder.absolute():
        images = [path for path in images if out.absolute() not in path.absolute().parents]
    if not images:
        hint = "" if recursive else "; -r looks into its subfolders"
        raise UserError(f"{plain(folder)}: the folder has no images{hint}")
    return [Found(path, path.relative_to(folder)) for path in images]


def _matching(pattern: str) -> list[Found]:
    """The files that match; their names begin below the pattern's last folder without wildcards."""
    root = Path(pattern)
    while glob.has_magic(str(root)):
        root = root.parent
    files = [Path(name) for name in sorted(glob.glob(pattern, recursive=True)) if not os.path.isdir(name)]
    if not files:
        raise UserError(f"no file matches {plain(pattern)}")
    return [Found(path, path.relative_to(root)) for path in files]
