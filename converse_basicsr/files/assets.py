"""The folder of published weights, test sets and golden outputs, which are not part of this repository."""

import os
from pathlib import Path


def assets_folder() -> Path | None:
    """The folder in $CONVERSE_ASSETS, else shared/assets beside the checkout; None if it does not exist."""
    named = os.environ.get("CONVERSE_ASSETS")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "assets"
    return folder if folder.is_dir() else None
