"""``basicsr doctor``: what is installed, what is patched, and what works."""

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import sys
import tempfile
from pathlib import Path

from .. import __version__
from ..errors import UserError
from ..extras import EXTRAS, install
from .allocator import keep_large_buffers
from .waiting import describe_waiting

REQUIRED = (
    "torch",
    "filelock",
    "numpy",
    "opencv-python",
    "pillow",
    "platformdirs",
    "psutil",
    "pyyaml",
    "requests",
    "safetensors",
    "tifffile",
    "tqdm",
)
REPLACED_BY = {"opencv-python": "opencv-python-headless"}
WITHOUT_BASICSR = (
    "Converse2D, the networks, weights and inference work; train, test, benchmark, reproduce and data do not"
)

Rows = list[tuple[str, str]]


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="show what is installed, and what does not work",
        description="Show versions and locations, the patches of BasicSR, devices, extras and weights. "
        "The exit code is 1 if something does not work.",
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    problems: list[str] = []
    _section("package", _package(problems))
    _section("extras", _extras(problems))
    _section("BasicSR", _basicsr(problems))
    _section("devices", _devices())
    _section("weights", _weights())
    _section("data", [("LMDB", _try_lmdb(problems)), ("demo data", _demo())])
    for problem in problems:
        print(f"problem: {problem}")
    print(f"problems found: {len(problems)}" if problems else "no problems found")
    return 1 if problems else 0


def _section(title: str, rows: Rows) -> None:
    print(title)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")
    sys.stdout.flush()


def _package(problems: list[str]) -> Rows:
    packages = {name: version_of(name) for name in REQUIRED}
    problems += [f"{name} is not installed: pip install {name}" for name, version in packages.items() if not version]
    return [
        ("converse_basicsr", f"{__version__} ({Path(__file__).parents[1]})"),
        ("python", f"{platform.python_version()} ({sys.executable})"),
        *((name, version or "not installed") for name, version in packages.items()),
    ]


def _extras(problems: list[str]) -> Rows:
    rows = []
    for extra, (purpose, names) in EXTRAS.items():
        packages = {name: version_of(name) for name in names}
        missing = [name for name, version in packages.items() if not version]
        if not missing:
            value = ", ".join(f"{name} {version}" for name, version in packages.items())
        elif "basicsr" in missing:  # the section BasicSR says why, and how to install it
            value = f"not installed, see BasicSR (for {purpose})"
        else:
            value = f"lacks {', '.join(missing)}: {install(extra)} (for {purpose})"
            problems += [f"extra {extra}: {value}"] if extra == "train" else []
        rows.append((extra, value))
    return rows


def version_of(package: str) -> str | None:
    """The installed version of a package, or of what takes its place; None if it is not installed."""
    for name in (package, REPLACED_BY.get(package, package)):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return None


def _basicsr(problems: list[str]) -> Rows:
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
    rows = [("version", f"{basicsr.__version__} ({Path(basicsr.__file__).parent})")]
    rows.append(("torchvision", version_of("torchvision") or "not installed"))
    for patch, active in compat.status():
        state = "active" if active else "not needed"
        rows.append((f"patch {patch.name}", f"{state}: {patch.reason} ({patch.release})"))
    return rows


def _devices() -> Rows:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [
        ("CUDA", f"{torch.version.cuda}: {', '.join(names)}" if names else "none; runs on the CPU"),
        ("Triton, for CUDA", version_of("triton") or "not installed"),
        ("CPU threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores"),
        ("large buffers", keep_large_buffers()),
        ("waiting threads", describe_waiting()),
    ]


def _weights() -> Rows:
    from ..weights.catalogue import PUBLISHED
    from ..weights.locating import find, folders

    rows = [(name, str(find(entry) or f"not here: basicsr weights get {name}")) for name, entry in PUBLISHED.items()]
    return [*rows, ("looked for in", ", ".join(map(str, folders())))]


def _demo() -> str:
    return "datasets/demo" if Path("datasets/demo").is_dir() else "not made yet: basicsr data demo"


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
