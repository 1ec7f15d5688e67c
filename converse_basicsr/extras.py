"""What pip must install for an optional part of this package, as messages say it."""

import importlib.util
import shlex
import sys
from pathlib import Path

from .errors import UserError

EXTRAS = {  # of setup.py: what each is for, and its packages
    "train": (
        "training, tests, benchmarks, data sets",
        ("basicsr", "lmdb", "packaging", "pydantic", "pydantic_core", "scikit-image", "scipy"),
    ),
    "benchmark": ("reports of benchmarks", ("jinja2", "matplotlib")),
    "fft": ("faster Fourier transforms of some sizes on CPUs", ("ducc0",)),
    "mmengine": ("OpenMMLab", ("mmengine",)),
    "onnx": ("ONNX files", ("onnx", "onnxruntime", "onnxscript")),
    "spandrel": ("weights of other networks, ComfyUI", ("spandrel",)),
    "bm3d": ("the method BM3D; not for commercial use", ("bm3d",)),
}
NEWEST_PYTHON = (3, 12)  # that BasicSR builds on
_CHECKOUT = Path(__file__).parents[1]


def install(extra: str) -> str:
    """The command that installs an extra of setup.py: of the checkout, editable as scripts/setup.sh installs it.

    Without a checkout, the command installs what the installed package requires for the extra.
    """
    if (_CHECKOUT / "setup.py").is_file():
        return f"pip install -e {shlex.quote(f'{_CHECKOUT}[{extra}]')}"
    import importlib.metadata  # slow, and only needed here

    lines = [line.partition(";") for line in importlib.metadata.requires("converse_basicsr") or ()]
    return shlex.join(["pip", "install", *(line.strip() for line, _, marker in lines if f'"{extra}"' in marker)])


def require_basicsr() -> None:
    """Raise UserError if BasicSR is not installed. Nothing is imported."""
    if importlib.util.find_spec("basicsr") is None:
        version = sys.version_info[:2]
        fix = (
            f"{install('train')} --no-build-isolation (after torch, numpy, cython and setuptools)"
            if version <= NEWEST_PYTHON
            else f"release 1.4.2 does not build on Python {version[0]}.{version[1]}; use Python 3.10, 3.11 or 3.12"
        )
        raise UserError(f"BasicSR is not installed: {fix}")
