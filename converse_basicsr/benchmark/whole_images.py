"""Time and memory of restoring whole images, whatever library does the work."""

import ctypes
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch


class Timed:
    """A model of BasicSR whose tests are timed."""

    def __init__(self, model, device: torch.device):
        self.model = model
        self.device = device
        self.seconds: list[float] = []

    def feed_data(self, data: dict) -> None:
        self.model.feed_data(data)

    def test(self) -> None:
        start = self._now()
        self.model.test()
        self.seconds.append(self._now() - start)

    def get_current_visuals(self) -> dict:
        return self.model.get_current_visuals()

    def mean(self) -> float:
        """Seconds per image since the last call."""
        mean, self.seconds = statistics.fmean(self.seconds), []
        return mean

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def largest(dataset) -> dict:
    """The sample with the largest input, as a batch of 1."""
    sizes = [dataset[index]["lq"].numel() for index in range(len(dataset))]
    return torch.utils.data.default_collate([dataset[sizes.index(max(sizes))]])


def growth(function: Callable[[], object], device: torch.device) -> float | None:
    """MiB by which memory grows during a call at most: the device's tensors, or this process on Linux; else None.

    Unlike timing.peak_memory it counts what numpy and other libraries allocate, so methods can be compared.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    if sys.platform != "linux":
        return None
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)  # buffers that the allocator kept would be used again, unseen
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the largest resident size so far becomes the present one
    except OSError:
        return None
    before = _resident("VmRSS")
    function()
    return _resident("VmHWM") - before


def _resident(field: str) -> float:
    """MiB: VmRSS, the resident size, or VmHWM, the largest since the last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024
