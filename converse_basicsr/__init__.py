"""Reverse convolution (Converse2D) and the Converse networks, as a plugin of BasicSR.

This module needs torch alone. ``import converse_basicsr.archs`` (or ``.data``, ``.metrics``, ``.models``) loads
BasicSR and registers what is defined there.
"""

from importlib import import_module

__version__ = "0.1.0"

_EXPORTS = {
    "Converse2D": "layers",
    "ConverseBlock": "layers",
    "converse2d": "ops",
    "converse2d_reference": "ops",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str):
    """Import torch only when something that needs it is asked for, so that the command line answers at once."""
    if name in _EXPORTS:
        return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
