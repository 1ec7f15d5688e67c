"""What pip must install for an optional part of this package, as messages say it."""

import shlex
from pathlib import Path

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
