"""The files of the page itself. They are read once; no request reads a file by its name."""

from importlib.resources import files

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
INDEX = "index.html"


def read_assets() -> dict[str, tuple[str, bytes]]:
    """Type and content by name; the name of the page is ''."""
    found = {}
    for file in files(__package__).joinpath("static").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind:
            found["" if file.name == INDEX else file.name] = kind, file.read_bytes()
    return found
