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
    if path.is_file():
        return path
    if (path / HUB_FILE).is_file():
        return path / HUB_FILE
    if str(weights) in PUBLISHED:
        entry = PUBLISHED[str(weights)]
        return find(entry) or _download(entry)
    reason = ""
    if path.is_dir():
        reason = f" (a folder without {HUB_FILE})"
    elif path.name == str(weights) and not path.suffix:  # rather a name than a path
        reason = f"{did_you_mean(path.name, PUBLISHED)}; published weights: {', '.join(PUBLISHED)}"
    raise UserError(f"no such checkpoint: {plain(weights)}{reason}")


def find(entry: Published) -> Path | None:
    """Where a published file already is."""
    return next((path for folder in folders() if entry.is_at(path := folder / entry.file)), None)


def folders() -> list[Path]:
    """Where published files are looked up, in this order."""
    assets = assets_folder()
    return [PRETRAINED, cache_folder(), *([assets / "weights"] if assets else [])]


def _download(entry: Published) -> Path:
    from .download import download

    return download(entry, cache_folder())
