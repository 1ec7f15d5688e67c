"""Where numbers were measured."""

import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path

import torch

from .. import __version__

PROJECT = Path(__file__).resolve().parents[2]  # the checkout, if this package runs from one


def environment(*devices: str) -> dict[str, str]:
    """Devices, hardware, versions, commit and date, as text.

    Args:
        devices: those that are used, as "cpu", "cuda" or "cuda:1"; a GPU that is there and not used is not named.
    """
    gpus = [torch.cuda.get_device_name(device) for device in devices if torch.device(device).type == "cuda"]
    cpu = f"{_cpu_name()}, {torch.get_num_threads()} threads of {os.cpu_count()} cores"
    return {
        "device": ", ".join(devices),
        "hardware": "; ".join([*gpus, cpu]),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "basicsr": importlib.metadata.version("basicsr"),
        "converse_basicsr": __version__,
        "commit": commit(PROJECT),
        "date": time.strftime("%Y-%m-%d"),
    }


def commit(project: Path) -> str:
    """The commit of a checkout of this project; of a package installed within another repository there is none."""
    if not ((project / ".git").exists() and (project / "setup.py").is_file()):
        return "not a checkout"
    git = ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not a checkout"


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
