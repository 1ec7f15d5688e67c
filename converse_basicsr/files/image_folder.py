"""Which files of a folder are images: one rule for training, preparation and reproduction."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import cv2

from ..errors import UserError

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_COMPANION = re.compile(r"readme|license|.*\.(txt|md|csv|json|xml|ya?ml|html?|pdf|db|ini)", re.IGNORECASE)
_SHOWN = 3


def images_in(folder: Path) -> list[Path]:
    """Every image in a folder and its subfolders, sorted; hidden, text and system files are ignored.

    Files with a usual image suffix are not opened; OpenCV checks all others.

    Raises:
        UserError: the folder is missing, cannot be listed or has no images, or OpenCV cannot read a file.
    """
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder} (the current directory is {Path.cwd()})")
    images = sorted((path for path in _files(folder) if not _COMPANION.fullmatch(path.name)), key=str)
    unusual = [path for path in images if path.suffix.lower() not in _IMAGE_SUFFIXES]
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


def _files(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename}: cannot be listed: {error.strerror}") from error

    files = []
    for root, subfolders, names in os.walk(folder, followlinks=True, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        files += [Path(root, name) for name in names if not name.startswith(".")]
    return files
