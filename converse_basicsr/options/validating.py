"""The values of an option file against the classes of its sections; the first mistake in one line."""

import math
from collections.abc import Iterator
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import UserError, plain, shown
from .kinds import CONTROL
from .section import Section

File = TypeVar("File", bound=Section)
_LARGEST = 2**63  # of an integer
_LARGEST_SIZE = 65536  # of a network: blocks, channels, ...; more would not fit in memory
_LONGEST = 500  # characters of a string


def validated(file: type[File], opt: dict) -> File:
    """The options as an object of this class, whose values are all within bounds.

    Raises:
        UserError: the first mistake found.
    """
    try:
        made = file.model_validate(opt)
    except ValidationError as error:
        raise UserError(_in_words(error.errors(include_url=False)[0], opt)) from error
    for mistake in _extremes(opt, ()):
        raise UserError(mistake)
    return made


def _in_words(error: ErrorDetails, opt: object) -> str:
    """One line for an error of pydantic: the place in the file, what is wrong, and the value."""
    place, kind, message = _place(error, opt), error["type"], error["msg"]
    if kind == "missing":
        return f"{place} is missing"
    key = error.get("ctx", {}).get("key", "") if kind == "wrong" else ""
    where = ":".join(part for part in (place, key) if part)
    where = f"{where}: " if where else ""
    if kind == "wrong":
        return f"{where}{message}"
    if kind in ("dict_type", "model_type"):
        message = "must be a mapping (key: value)"
    if kind == "too_short":
        message = "must not be empty"
    if kind == "list_type":
        message = "must be a list"
    return f"{where}{message}, got {shown(error['input'])}"


def _place(error: ErrorDetails, opt: object) -> str:
    """The keys that lead to the error; pydantic also names the members of a union."""
    keys, section = [], opt
    for step in error["loc"]:
        known = isinstance(section, dict) and step in section
        item = isinstance(section, list) and isinstance(step, int)
        if known or item:
            section = section[step]
            keys.append(plain(step))
    if error["type"] == "missing":
        keys.append(str(error["loc"][-1]))
    return ":".join(keys)


def _extremes(value: object, keys: tuple[str, ...]) -> Iterator[str]:
    """A message for every value that no option has, whatever class reads it."""
    where = f"{':'.join(keys)}: must"
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _extremes(item, (*keys, plain(key)))
    elif isinstance(value, list):
        for item in value:
            yield from _extremes(item, keys)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} be a finite number, got {value}"
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        yield f"{where} have at most 64 bits, got {shown(value)}"
    elif isinstance(value, int) and keys[0].startswith("network_") and value > _LARGEST_SIZE:
        yield f"{where} be at most {_LARGEST_SIZE}, got {value}"
    elif isinstance(value, str) and len(value) > _LONGEST:
        yield f"{where} have at most {_LONGEST} characters, got {shown(value)}"
    elif isinstance(value, str) and CONTROL.search(value):
        yield f"{where} have no control characters, got {shown(value)}"
