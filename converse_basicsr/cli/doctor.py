"""``basicsr doctor``: what is installed, what is patched, and what works."""

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import sys
import tempfile
from pathlib import Path

from ..errors import UserError
from .allocator import keep_large_buffers
from .waiting import describe_waiting

REQUIRED = ("torch", "numpy", "pillow", "tifffile", "safetensors")
TRAINING = ("basicsr", "torchvision", "lmdb", "pydantic", "scikit-image", "scipy")
OPTIONAL = (
    "mmengine",
    "opencv-python",  # opencv-python-headless works as well
    "ducc0",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "spandrel",
    "triton",
)
WITHOUT_BASICSR = (
    "Converse2D, the networks, weights and inference work; train, test, benchmark, reproduce and data do not"
)


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("doctor", help="check the installation", description="Check the installation.")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    problems: list[str] = []
    _section("versions", _versions(problems))
    _section("basicsr", _loading(problems))
    _section("hardware", _hardware())
    _section("data", _data(problems))
    for problem in problems:
        print(f"problem: {problem}")
    print(f"problems found: {len(problems)}" if problems else "no problems found")
    return 1 if problems else 0


def _section(title: str, rows: list[tuple[str, str]]) -> None:
    print(title)
    for name, value in rows:
        print(f"  {name:<26}{value}")


def _versions(problems: list[str]) -> list[tuple[str, str]]:
    rows = [("python", f"{platform.python_version()} ({sys.executable})")]
    trains = importlib.util.find_spec("basicsr") is not None
    for package in (*REQUIRED, *TRAINING, *OPTIONAL):
        try:
            rows.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            rows.append((package, "not installed"))
            if package in REQUIRED or (trains and package in TRAINING):
                problems.append(f"{package} is not installed")
    return rows


def _loading(problems: list[str]) -> list[tuple[str, str]]:
    from .. import compat

    try:
        compat.load_basicsr()
        import basicsr

        from .. import archs, data, metrics, models  # noqa: F401 (registers)
    except UserError as error:  # not installed
        return [("not loaded", str(error)), ("without it", WITHOUT_BASICSR)]
    except Exception as error:  # of any type: this command reports it
        problems.append(f"BasicSR cannot be loaded: {type(error).__name__}: {error}")
        return [("not loaded", "see below"), ("without it", WITHOUT_BASICSR)]
    rows = [("loaded from", str(Path(basicsr.__file__).parent))]
    for patch, active in compat.status():
        rows.append((patch.name, f"{'active' if active else 'not needed'}: {patch.reason} ({patch.release})"))
    return rows


def _hardware() -> list[tuple[str, str]]:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [
        ("CUDA", f"{torch.version.cuda}: {', '.join(names)}" if names else "none; runs on the CPU"),
        ("CPU threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores"),
        ("large buffers", keep_large_buffers()),
        ("waiting threads", describe_waiting()),
    ]


def _data(problems: list[str]) -> list[tuple[str, str]]:
    from ..files.assets import assets_folder
    from ..weights.catalogue import PUBLISHED
    from ..weights.locating import find

    assets = assets_folder()
    found = [name for name, entry in PUBLISHED.items() if find(entry)]
    return [
        ("LMDB", _try_lmdb(problems)),
        ("demo data", "datasets/demo" if Path("datasets/demo").is_dir() else "not made yet: basicsr data demo"),
        ("assets of the tests", str(assets) if assets else "not found: CONVERSE_ASSETS, ../shared/assets"),
        ("published weights", ", ".join(found) if found else "none yet: basicsr weights get NAME"),
    ]


def _try_lmdb(problems: list[str]) -> str:
    if importlib.util.find_spec("lmdb") is None:
        return "not installed; only training needs it"
    try:
        import lmdb

        with tempfile.TemporaryDirectory() as folder, lmdb.open(folder, map_size=2**20) as environment:
            with environment.begin(write=True) as transaction:
                transaction.put(b"key", b"value")
            with environment.begin() as transaction:
                assert transaction.get(b"key") == b"value"
    except Exception as error:  # any failure means that LMDB data cannot be used here
        problems.append(f"LMDB does not work: {type(error).__name__}: {error}")
        return "does not work"
    return f"writes and reads (library {'.'.join(map(str, lmdb.version()))})"
