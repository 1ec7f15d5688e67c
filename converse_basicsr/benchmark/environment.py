"""Where numbers were measured."""

import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path

import torch

from .. import __version__


def environment() -> dict[str, str]:
    """Hardware, versions, commit and date, as text."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "hardware": ", ".join(gpus) or f"{_cpu_name()}, {torch.get_num_threads()} threads of {os.cpu_count()} cores",
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "basicsr": importlib.metadata.version("basicsr"),
        "converse_basicsr": __version__,
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _commit() -> str:
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=10"]
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
