"""Errors that the user can fix, and the words that they share."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_LONGEST = 80  # characters of a value in a message


class UserError(ValueError):
    """Wrong input. Its one-line message names the file, key or value, and what would be right. Exit code 2."""


@contextmanager
def in_file(file: object) -> Iterator[None]:
    """Name this file at the beginning of the message of a UserError; '' names none."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{plain(file)}: {error}" if file else str(error)) from error


def in_one_line(error: UserError) -> str:
    """The message without the traceback that torch prepends when a data-loader worker raised the error."""
    text = str(error)
    if not text.startswith("Caught UserError in "):
        return text
    return text.strip().splitlines()[-1].partition("UserError: ")[2]


def shown(value: object) -> str:
    """A value as a message shows it: as Python writes it, on one line, a long one shortened."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def plain(text: object) -> str:
    """A file name or an argument as a message shows it: unchanged, unless it is long or cannot be printed."""
    text = str(text)
    return text if text.isprintable() and len(text) <= 4 * _LONGEST else shown(text)


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """'; did you mean A?' with the known name nearest to this one (or a few that are less near), or ''."""
    known = list(known)
    close = difflib.get_close_matches(str(name), known, n=1)
    if not close:
        lower, lowered = str(name).lower(), {candidate.lower(): candidate for candidate in known}
        near = [match for match in lowered if lower in match] if len(lower) > 2 else []
        near = near[:3] or difflib.get_close_matches(lower, lowered, n=3, cutoff=0.5)
        close = [lowered[match] for match in near]
    return f"; did you mean {' or '.join(close)}?" if close else ""
