"""The user's image files: their keys, sizes and readability."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..errors import UserError
from ..files.image_folder import images_in, listed
from ..files.image_header import file_header


@dataclass(frozen=True)
class ImageFile:
    path: Path
    key: str


def find_images(folders: Sequence[Path]) -> list[ImageFile]:
    """Every image in the folders and their subfolders, sorted by key.

    The key is the path within the folder, without suffix. Separators, dots, spaces and non-ASCII characters become _,
    because BasicSR's meta information cannot hold them.

    Raises:
        UserError: a folder is unusable (see images_in), or two files get the same key.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        for path in images_in(folder):
            found[_key(path.relative_to(folder))].append(path)
    for key, paths in found.items():
        if len(paths) > 1:
            raise UserError(f"{listed(paths)} would all get the key {key}; rename them, or prepare them separately")
    return [ImageFile(paths[0], key) for key, paths in sorted(found.items())]


def read_size(file: ImageFile) -> tuple[int, int] | str:
    """(width, height) of an image after decoding it completely, or the reason why it cannot be read."""
    header = file_header(file.path)
    if isinstance(header, str):
        return header
    try:
        with Image.open(file.path) as image:
            image.load()  # Pillow finds more damage than OpenCV
    except UnidentifiedImageError:
        pass  # a format that only OpenCV reads; its header was found by decoding it
    except Exception as error:  # Pillow raises many exception types for damaged files
        return getattr(error, "strerror", None) or str(error)
    return header.width, header.height


def _key(path: Path) -> str:
    return re.sub(r"[^!-~]|[./\\]", "_", str(path.with_suffix("")))
