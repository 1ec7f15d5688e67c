"""Timing and memory of functions beside one another, in one run, and the machine that it was on."""

import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

MIN_RUNS, MAX_RUNS, SECONDS = 5, 40, 4.0


@dataclass(frozen=True)
class Timing:
    """Milliseconds: the median, the quartiles, and of how many runs."""

    median: float
    low: float
    high: float
    runs: int


def time_together(functions: dict[str, Callable[[], object]], device: torch.device) -> dict[str, Timing]:
    """Time functions in turn, A B C A B C ..., after one warm-up each, so that a drift of the machine meets all."""
    for function in functions.values():
        function()
    samples = {name: [] for name in functions}
    started = time.perf_counter()
    for run in range(MAX_RUNS):
        if run >= MIN_RUNS and time.perf_counter() - started > SECONDS:
            break
        for name, function in functions.items():
            samples[name].append(_time_once(function, device))
    return {name: _summarise(values) for name, values in samples.items()}


def _time_once(function: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    function()
    _wait(device)
    return (time.perf_counter() - start) * 1e3


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _summarise(values: list[float]) -> Timing:
    low, median, high = statistics.quantiles(values, n=4)
    return Timing(median, low, high, len(values))


def peak_memory(function: Callable[[], object], device: torch.device) -> float:
    """MiB that a call holds at most, beyond what was held before it (in torch's tensors)."""
    function()
    if device.type == "cuda":
        _wait(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        _wait(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        function()
    changes = sorted(
        (event.time_range.start, event.cpu_memory_usage) for event in profile.events() if event.name == "[memory]"
    )
    held = peak = 0
    for _, change in changes:
        held += change
        peak = max(peak, held)
    return peak / 2**20


def environment(device: torch.device) -> dict[str, str | int]:
    """What a number must stand beside: hardware, versions, commit."""
    git = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "not a checkout"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name()
    return {
        "device": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "commit": commit,
        "date": time.strftime("%Y-%m-%d"),
    }


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def as_json(timings: dict[str, Timing]) -> dict[str, dict[str, float]]:
    return {name: asdict(timing) for name, timing in timings.items()}
