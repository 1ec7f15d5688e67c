"""A cache of image headers in the user's cache folder. It is only ever a shortcut: without it the files are read."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import PIL
from platformdirs import user_cache_path

from .image_header import ImageHeader

_VERSION = [1, PIL.__version__]  # entries of another version are not used
_LEAST = 1000  # fewer new headers are read faster than it is worth to write them
_KEPT = 64  # cache files, one per folder


class HeaderCache:
    """The headers known of the files below one folder (or of the values of one LMDB).

    An entry counts only if size and modification time are unchanged. A cache that is damaged, or cannot be read or
    written, is ignored.
    """

    def __init__(self, root: str | os.PathLike):
        name = hashlib.sha256(os.path.realpath(root).encode(errors="surrogateescape")).hexdigest()[:32]
        self._path = _folder() / f"{name}.json"
        self._known = self._load()

    def get(self, name: str, size: int, mtime_ns: int) -> ImageHeader | None:
        entry = self._known.get(name)
        return ImageHeader(*entry[2:]) if entry and entry[:2] == [size, mtime_ns] else None

    def add(self, entries: dict[str, tuple[int, int, ImageHeader]]) -> None:
        """Store headers by name: (size, mtime_ns, header)."""
        if len(entries) < _LEAST:
            return
        self._known |= {name: [size, mtime_ns, *header] for name, (size, mtime_ns, header) in entries.items()}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._path.parent, suffix=".partial", delete=False) as file:
                json.dump({"version": _VERSION, "headers": self._known}, file)
            os.replace(file.name, self._path)
            self._remove_old()
        except (OSError, ValueError):
            return

    def _load(self) -> dict[str, list]:
        try:
            content = json.loads(self._path.read_text())
            headers = content["headers"] if content["version"] == _VERSION else {}
            return headers if all(len(entry) == 2 + len(ImageHeader._fields) for entry in headers.values()) else {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _remove_old(self) -> None:
        files = sorted(self._path.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[_KEPT:]:
            path.unlink(missing_ok=True)


def _folder() -> Path:
    return user_cache_path("converse_basicsr") / "headers"
