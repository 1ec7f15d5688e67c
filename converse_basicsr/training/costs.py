"""What a run costs: time, memory and disk space, estimated from a few iterations and images."""

import io
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from .display import MIB, duration
from .states import POOL, labels_of


@dataclass(frozen=True)
class Rate:
    """Mean seconds of an iteration, and how many of them it waited for data; `count` iterations were timed."""

    seconds: float
    waited: float
    count: int

    @classmethod
    def of(cls, durations: list[float], waits: list[float]) -> "Rate":
        """Without the first iteration, if there are others."""
        durations, waits = durations[1:] or durations, waits[1:] or waits
        return cls(statistics.fmean(durations), statistics.fmean(waits), len(durations))


@dataclass(frozen=True)
class Cost:
    """The cost of a whole run.

    Args:
        opt: the finished options.
        rate: of the iterations; None for a test.
        validation: seconds of one validation of all sets.
        size: bytes of a state and its networks.
        saving: seconds to save them, without the time of the disk.
    """

    opt: dict
    rate: Rate | None
    validation: float
    size: int = 0
    saving: float = 0.0

    @classmethod
    def of_test(cls, opt: dict, seconds: float) -> "Cost":
        return cls(opt, None, seconds)

    def lines(self, root: Path) -> Iterator[tuple[str, str]]:
        """Time and disk space, as (name, value)."""
        if self.rate is None:
            yield "whole test", f"about {duration(self.validation)}"
            return
        yield from self._disk(root)
        total = self.opt["train"]["total_iter"]
        parts = (
            (total * self.rate.seconds, total, "iterations"),
            (self._validations * self.validation, self._validations, "validations"),
            (self._saves * self.saving, self._saves, "states"),
        )
        text = ", ".join(f"{duration(seconds)} for {count:,} {name}" for seconds, count, name in parts if count)
        yield "whole training", f"about {duration(sum(seconds for seconds, _, _ in parts))}: {text}"

    def _disk(self, root: Path) -> Iterator[tuple[str, str]]:
        keep = self.opt["logger"].get("keep_last")
        kept = min(keep, self._saves) if keep else self._saves
        needed = self.size * (kept + 1)  # net_*_latest.pth, and a new state before an old one is deleted
        free = shutil.disk_usage(root).free
        yield "states", f"{_mib(self.size)} each, {kept:,} kept: {_mib(needed)} at most; {_mib(free)} free in {root}"
        if needed > free:
            yield "warning", f"the states do not fit in {root}; a lower logger:keep_last needs less"

    @property
    def _saves(self) -> int:
        return -(-self.opt["train"]["total_iter"] // self.opt["logger"]["save_checkpoint_freq"])

    @property
    def _validations(self) -> int:
        frequency = (self.opt.get("val") or {}).get("val_freq")
        return -(-self.opt["train"]["total_iter"] // frequency) if frequency else 0


def state_size(model: Any, opt: dict) -> tuple[int, float]:
    """Bytes of a saved state and its networks, and the seconds to write them into nothing."""
    networks = {
        attribute: model.get_bare_model(getattr(model, attribute)).state_dict()
        for label in labels_of(opt)
        for attribute in (f"net_{label}", f"net_{label}_ema")
        if hasattr(model, attribute)
    }
    optimizers = [optimizer.state_dict() for optimizer in model.optimizers]
    pool = {name: getattr(model, name) for name in POOL if hasattr(model, name)}
    sink, begin = _Sink(), time.perf_counter()
    torch.save({"networks": networks, "optimizers": optimizers, "pool": pool}, sink)
    return sink.size, time.perf_counter() - begin


def memory_line(opt: dict) -> tuple[str, str]:
    """The most memory used so far: of the GPU, or of this process without one."""
    if torch.cuda.is_available() and opt["num_gpu"]:
        total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
        return "memory", f"{_mib(torch.cuda.max_memory_allocated())} of {_mib(total)} GPU memory, at most"
    workers = (opt["datasets"].get("train") or {}).get("num_worker_per_gpu")
    more = f", and {workers} data-loader workers" if workers else ""
    return "memory", f"{_mib(_peak_of_process())} of {_mib(psutil.virtual_memory().total)}, at most{more}"


def _peak_of_process() -> int:
    """The largest resident memory of this process so far, in bytes."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _mib(size: int) -> str:
    return f"{size / MIB:,.1f} MiB" if size < 100 * MIB else f"{size / MIB:,.0f} MiB"


class _Sink(io.RawIOBase):
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.size += memoryview(content).nbytes
        return memoryview(content).nbytes
