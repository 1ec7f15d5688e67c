"""From what the user calls weights to a file: a path, a folder in the Hugging Face layout, or a published name."""

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from ..errors import UserError, did_you_mean, plain
from ..files.assets import assets_folder
from .catalogue import PUBLISHED, Published, cache_folder

HUB_FILE = "model.safetensors"
PRETRAINED = Path("experiments/pretrained_models")  # BasicSR's folder


def locate(weights: str | os.PathLike) -> Path:
    """The file of weights, the first of these: this path, HUB_FILE in this folder, the published file of this name.

    A published file is looked for in `folders`, else downloaded into the cache. A file of its name with another
    content is not used; one line on stderr says so.

    Raises:
        UserError: there is no such file and no such name, or it cannot be downloaded.
    """
    path = Path(weights)
    if path.is_file():
        return path
    if (path / HUB_FILE).is_file():
        return path / HUB_FILE
    if str(weights) in PUBLISHED:
        entry = PUBLISHED[str(weights)]
        return find(entry, say_once) or _download(entry)
    reason = ""
    if path.is_dir():
        reason = f" (a folder without {HUB_FILE})"
    elif path.suffix == ".pth" and path.stem in PUBLISHED:
        reason = f"; the name {path.stem} finds or downloads the published file"
    elif path.name == str(weights) and not path.suffix:  # rather a name than a path
        reason = f"{did_you_mean(path.name, PUBLISHED)}; published weights: {', '.join(PUBLISHED)}"
    raise UserError(f"no such checkpoint: {plain(weights)}{reason}")


def folders() -> tuple[Path, ...]:
    """Where published files are looked for, in this order."""
    assets = assets_folder()
    return Path(), PRETRAINED, cache_folder(), *([assets / "weights"] if assets else [])


def find(entry: Published, note: Callable[[str], None] | None = None) -> Path | None:
    """The first published file in `folders`, or None.

    Args:
        entry: the file.
        note: called with a line for each file before it that has its name, but another size or checksum.
    """
    for folder in folders():
        path = folder / entry.file
        if entry.is_at(path):
            return path
        if note and path.is_file():
            note(
                f"not used: {plain(path)} is not the published {entry.file} ({entry.size:,} bytes, sha256 "
                f"{entry.sha256}); to use it, give its path instead of the name {entry.name}"
            )
    return None


@cache
def say_once(line: str) -> None:
    """Print a line on stderr, unless this process has already done so."""
    print(line, file=sys.stderr)


def _download(entry: Published) -> Path:
    from .download import download

    return download(entry, cache_folder())
