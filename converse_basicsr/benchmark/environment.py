"""Where numbers were measured."""

import importlib.metadata
import os
import platform
import re
import subprocess
import time
from pathlib import Path

import torch

from .. import __version__

PROJECT = Path(__file__).resolve().parents[2]  # the checkout, if this package runs from one


def environment(*devices: str) -> dict[str, str]:
    """Hardware, versions, commit and date, as strings; devices are the used ones, as "cpu" or "cuda:1"."""
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
    """The commit of a checkout of this project; none for a package installed inside another repository."""
    if (project / ".git").exists() and (project / "setup.py").is_file():
        git = ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=10"]
        try:
            return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            pass
    return "not a checkout"


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:\s*(.*)$", info.read_text(encoding="utf-8"), re.M) if info.is_file() else None
    return named[1] if named else platform.processor() or platform.machine()
