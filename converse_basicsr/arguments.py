"""Checks of arguments of constructors and functions: ValueError with the name, the value and what would be right."""

from numbers import Real


def check_flag(name: str, value: bool) -> None:
    """Raise ValueError unless the value is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise ValueError unless the value is an integer of `least` or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of {least} or more, got {value!r}")


def check_odd(name: str, value: int) -> None:
    """Raise ValueError unless the value is an odd integer of 1 or more."""
    check_count(name, value)
    if value % 2 == 0:
        raise ValueError(f"{name} must be odd, got {value!r}")


def check_above_zero(name: str, value: float) -> None:
    """Raise ValueError unless the value is a number above 0."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a number above 0, got {value!r}")
