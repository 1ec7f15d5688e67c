"""Classical methods without weights. They have the interface of networks, so benchmarks and tests can use them."""

from importlib import import_module

_MODULES = {
    "BM3D": "denoising",
    "Bicubic": "upsampling",
    "ConverseDeconvolution": "deblurring",
    "NonLocalMeans": "denoising",
    "RichardsonLucy": "deblurring",
    "UnsupervisedWiener": "deblurring",
    "Wiener": "deblurring",
}
METHODS = tuple(_MODULES)

__all__ = ["METHODS", "NumpyMethod", *METHODS]


def __getattr__(name: str):
    """Import torch only when a class is used: the names alone check an option file."""
    if name in __all__:
        return getattr(import_module(f".{_MODULES.get(name, 'method')}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
