"""Registration by file name, as BasicSR does it."""

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules


def import_modules(package: str, path: Iterable[str], suffix: str) -> None:
    """Import every module of the package whose name ends with the suffix, so that its classes register."""
    for module in iter_modules(path):
        if module.name.endswith(suffix):
            import_module(f"{package}.{module.name}")
