"""The formats that pictures are written in, and what each can hold."""

import os
from dataclasses import dataclass
from pathlib import PurePath

from ..errors import UserError

QUALITY = 95  # default


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: Pillow's name.
        suffixes: of its files, in lower case; the first is the usual one.
        deep: whether it holds 16 bits per sample.
        alpha: whether it holds alpha.
        quality: whether it has a quality setting.
        metadata: whether it holds an ICC profile and EXIF data.
        most: largest width and height.
    """

    name: str
    suffixes: tuple[str, ...]
    deep: bool = False
    alpha: bool = True
    quality: bool = False
    metadata: bool = True
    most: int = 2**31 - 1


FORMATS = {
    "png": Format("PNG", (".png",), deep=True),
    "jpeg": Format("JPEG", (".jpg", ".jpeg"), alpha=False, quality=True, most=65535),
    "webp": Format("WEBP", (".webp",), quality=True, most=16383),
    "tiff": Format("TIFF", (".tif", ".tiff"), deep=True),
    "bmp": Format("BMP", (".bmp",), alpha=False, metadata=False),
}


def format_of(path: str | os.PathLike) -> Format | None:
    """The format that a file name's suffix stands for, or None."""
    suffix = PurePath(path).suffix.lower()
    return next((each for each in FORMATS.values() if suffix in each.suffixes), None)


def is_picture_name(path: str | os.PathLike) -> bool:
    """Whether a file name's suffix is that of any kind of picture, also of one that is not written."""
    from PIL import Image

    suffix = PurePath(path).suffix.lower()
    return bool(suffix) and suffix in Image.registered_extensions()


def choose_format(name: str) -> Format:
    """The format of that name ('jpg' and 'tif' are accepted).

    Raises:
        UserError: there is none.
    """
    name = name.lower().removeprefix(".")
    found = FORMATS.get(name) or format_of(f"x.{name}")
    if found is None:
        raise UserError(f"--format: must be one of {', '.join(FORMATS)}, got {name!r}")
    return found
