"""The memory that is free, on a device and within the limits of control groups."""

from pathlib import Path

import psutil
import torch


def free_memory(device: torch.device) -> int:
    """Bytes that this process can still allocate on the device; on a CPU also within the limits of its cgroup."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(psutil.virtual_memory().available, *_left_in_cgroups(), 2**62)


def _left_in_cgroups(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """What the limits of the process's control groups leave (Linux, versions 1 and 2)."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    left = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, names = root, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            top, names = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        group = top / path.lstrip("/")
        while True:
            left += _left_in(group, *names)
            if group == top or top not in group.parents:
                break
            group = group.parent
    return left


def _left_in(group: Path, limit: str, usage: str) -> list[int]:
    try:
        most = (group / limit).read_text().strip()
        used = int((group / usage).read_text())
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return []
    cache = int(statistics.get("inactive_file", 0))  # is given back when memory is needed
    return [max(int(most) - used + cache, 0)] if most.isdigit() else []
