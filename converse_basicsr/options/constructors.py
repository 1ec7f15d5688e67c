"""Checks of registered names and of constructor options."""

import inspect
from collections.abc import Callable, Iterable

from ..errors import UserError, did_you_mean, plain, shown

_PLAIN = (str, int, float, bool, type(None))


def check_type(where: str, name: object, registry: Iterable, kind: str) -> Callable:
    """The class or function registered under this name.

    Raises:
        UserError: the name is not registered; suggests the closest names.
    """
    known = {known_name: entry for known_name, entry in registry}  # noqa: C416 (a Registry is not a mapping)
    for candidate in (str(name), f"{name}_basicsr"):
        if candidate in known:
            return known[candidate]
    raise UserError(f"{where}: no {kind} named {shown(name)}{did_you_mean(name, known)}")


def check_options(
    where: str, section: dict, constructor: Callable, given: Iterable[str] = (), also: Iterable[str] = ()
) -> None:
    """Check the keys of a section against a constructor's arguments.

    Args:
        where: the section's place in the option file.
        section: its keys and values; 'type' is ignored.
        constructor: a class or function.
        given: arguments that BasicSR passes itself.
        also: keys that BasicSR reads itself.

    Raises:
        UserError: a key is not an argument (lists the valid ones), or a required argument is missing.
    """
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(constructor).parameters.items()
        if name not in given and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    valid = tuple(dict.fromkeys((*parameters, *also)))
    for key in section:
        if key != "type" and key not in valid:
            listed = ", ".join(valid) or "none"
            raise UserError(
                f"{where}: {constructor.__name__} has no option {plain(key)!r}{did_you_mean(key, valid)} ({listed})"
            )
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in section:
            raise UserError(f"{where}: {constructor.__name__} needs the option {name!r}")


def with_defaults(constructor: Callable, given: dict) -> dict:
    """All arguments of a constructor: the given ones, and the defaults of the others if they are plain values."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(constructor).parameters.items()
        if parameter.default is not parameter.empty and is_plain(parameter.default)
    }
    return {**defaults, **given}


def is_plain(value: object) -> bool:
    """Whether a value can be written in an option file: text, a number, a switch, nothing, or a list of these."""
    return isinstance(value, _PLAIN) or (isinstance(value, (list, tuple)) and all(map(is_plain, value)))
