"""Which files of a folder are images: one rule for training, preparation and reproduction."""

import os
import re
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2

from ..errors import UserError
from .image_header import file_header

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_COMPANION = re.compile(r"readme|license|.*\.(txt|md|csv|json|xml|ya?ml|html?|pdf|db|ini)", re.IGNORECASE)
_SHOWN = 3


def images_in(folder: Path) -> list[Path]:
    """Every image in a folder and its subfolders, sorted; hidden, text and system files are ignored.

    Files with a usual image suffix are not opened; OpenCV checks all others. Links to folders are followed; a folder
    with several paths is read once.

    Raises:
        UserError: the folder is missing, cannot be listed or has no images; something in it is not a file (a named
            pipe, a device, a link to nothing); or OpenCV cannot read a file.
    """
    if folder.is_file():
        raise UserError(f"{folder} is a file; give its folder")
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder} (the current directory is {Path.cwd()})")
    entries = [entry for entry in entries_below(folder) if not _COMPANION.fullmatch(entry.name)]
    strange = sorted(entry.path for entry in entries if not _is(entry.is_file))
    if strange:
        raise UserError(f"not files: {listed(f'{path} ({file_header(path)})' for path in strange)}; remove them")
    images = sorted((Path(entry.path) for entry in entries), key=str)
    unusual = [path for path in images if path.suffix.lower() not in IMAGE_SUFFIXES]
    foreign = [path for path in unusual if not cv2.haveImageReader(str(path))]
    if foreign:
        raise UserError(f"not images that OpenCV can read: {listed(foreign)}; convert them or move them elsewhere")
    if not images:
        raise UserError(f"{folder}: the folder has no images")
    return images


def listed(names: Iterable[object]) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + more


def entries_below(folder: Path, recursive: bool = True) -> list[os.DirEntry]:
    """Everything in a folder, and in its subfolders, that is neither hidden nor a folder itself.

    Links to folders are followed last, and no folder is entered twice: a link to a parent would never end.

    Raises:
        UserError: a folder cannot be listed.
    """
    found, entered, linked = [], set(), deque([folder])
    while linked:
        folders = [linked.popleft()]
        while folders:
            current = folders.pop()
            if (real := os.path.realpath(current)) in entered:
                continue
            entered.add(real)
            for entry in _listing(current):
                if not _is(entry.is_dir):
                    found.append(entry)
                elif recursive:
                    (linked if entry.is_symlink() else folders).append(Path(entry.path))
    return found


def _listing(folder: Path) -> list[os.DirEntry]:
    """The entries that are not hidden, sorted."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed: {error.strerror}") from error


def _is(test: Callable[[], bool]) -> bool:
    try:
        return test()
    except OSError:  # a link to itself
        return False
