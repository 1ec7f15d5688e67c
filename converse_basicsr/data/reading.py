"""Errors of reading a sample, in one line that names the files."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

from ..errors import UserError


def files_of(dataset: Any, index: int) -> str:
    """The files of a sample, if the data set lists them in `paths` as BasicSR's do; else its number."""
    paths = getattr(dataset, "paths", None)
    if not paths:
        return f"sample {index}"
    entry = paths[index]
    return ", ".join(dict.fromkeys(map(str, entry.values()))) if isinstance(entry, dict) else str(entry)


@contextmanager
def reading(where: str, dataset: Any, index: int) -> Iterator[None]:
    """Within this context every error is a UserError that names the data set and the files of the sample."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except Exception as error:  # a data set may raise any exception over a bad file
        raise UserError(f"{where}: cannot read {files_of(dataset, index)}: {in_one_line(error)}") from error


def in_one_line(error: Exception) -> str:
    """An exception of a data set in one line."""
    if isinstance(error, cv2.error) or (isinstance(error, AttributeError) and "NoneType" in str(error)):
        return "OpenCV cannot decode it"  # BasicSR does not check for None, which cv2.imdecode returned
    return f"{type(error).__name__}: {' '.join(map(str, error.args))}".splitlines()[0]
