"""From what the user calls weights to a file: a path, a folder in the Hugging Face layout, or a published name."""

import os
from pathlib import Path

from ..errors import UserError, did_you_mean, plain
from ..files.assets import assets_folder
from .catalogue import PUBLISHED, Published, cache_folder

HUB_FILE = "model.safetensors"
PRETRAINED = Path("experiments/pretrained_models")  # BasicSR's folder


def locate(weights: str | os.PathLike) -> Path:
    """The file of weights: this path, HUB_FILE in this folder, or the published file of this name.

    A published file is looked up in experiments/pretrained_models, the cache and $CONVERSE_ASSETS, else downloaded into
    the cache.

    Raises:
        UserError: there is no such file and no such name, or it cannot be downloaded.
    """
    path = Path(weights)
    if path.is_dir() and (path / HUB_FILE).is_file():
        return path / HUB_FILE
    if path.exists():
        return path
    if str(weights) in PUBLISHED:
        entry = PUBLISHED[str(weights)]
        return find(entry) or _download(entry)
    is_name = path.name == str(weights) and not path.suffix
    known = f"{did_you_mean(path.name, PUBLISHED)}; published weights: {', '.join(PUBLISHED)}" if is_name else ""
    raise UserError(f"no such checkpoint: {plain(weights)}{known}")


def find(entry: Published) -> Path | None:
    """Where a published file already is."""
    assets = assets_folder()
    for folder in (PRETRAINED, cache_folder(), *([assets / "weights"] if assets else [])):
        path = folder / entry.file
        if entry.is_at(path):
            return path
    return None


def _download(entry: Published) -> Path:
    from .download import download

    return download(entry, cache_folder())
