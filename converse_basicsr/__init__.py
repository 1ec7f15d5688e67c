"""Reverse convolution (Converse2D) and the Converse networks, as a plugin of BasicSR.

The operator, the layers, ``.networks`` and ``.inference`` need only torch. ``import converse_basicsr.archs`` (or
``.data``, ``.metrics``, ``.models``) loads BasicSR and registers the classes and functions defined there.
"""

from importlib import import_module

__version__ = "0.1.0"

_EXPORTS = {
    "Converse2D": "layers",
    "ConverseBlock": "layers",
    "convert_depthwise": "convert",
    "convert_upsampling": "convert",
    "converse2d": "ops",
    "converse2d_reference": "ops",
    "deconvolve": "restoration.api",
    "load_network": "weights.loading",
    "restore": "restoration.api",
    "undo": "convert",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str):
    """Import torch only when an export is used: the command line then starts at once."""
    if name in _EXPORTS:
        return getattr(import_module(f".{_EXPORTS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
