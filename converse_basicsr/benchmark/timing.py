"""Timing and memory of functions beside one another, in one run.

A CUDA device is waited for before and after what is timed.
"""

import random
import statistics
import time
import weakref
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

MIN_RUNS, MAX_RUNS, SECONDS = 9, 30, 3.0


@dataclass(frozen=True)
class Timing:
    """Milliseconds: the median, the quartiles, and of how many runs."""

    median: float
    low: float
    high: float
    runs: int


def time_together(functions: dict[str, Callable[[], object]], device: torch.device) -> dict[str, Timing]:
    """Time functions in rounds, each function once, after one warm-up each, so that a drift of the machine meets all.

    The order changes from round to round: what comes after a function that fills caches and memory pays for that.
    """
    for function in functions.values():
        function()
    order, rng = list(functions), random.Random(0)
    samples = {name: [] for name in functions}
    started = time.perf_counter()
    for run in range(MAX_RUNS):
        if run >= MIN_RUNS and time.perf_counter() - started > SECONDS:
            break
        rng.shuffle(order)
        for name in order:
            samples[name].append(_time_once(functions[name], device))
    return {name: _summarise(values) for name, values in samples.items()}


def evaluating(function: Callable, *inputs) -> Callable[[], None]:
    """The call function(*inputs) without gradients."""

    def run() -> None:
        with torch.no_grad():
            function(*inputs)

    return run


def training_step(function: Callable, y: Tensor, *others) -> Callable[[], None]:
    """Forward and backward of function(y, *others), to y too: a layer inside a network has to give that gradient.

    Gradients of parameters add up from call to call; there is no step of an optimiser.
    """

    def run() -> None:
        leaf = y.detach().requires_grad_()
        function(leaf, *others).square().mean().backward()

    return run


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
    """MiB that a call holds at most, in torch's tensors, beyond what is held after a first call.

    So parameters and their gradients do not count, nor what a CUDA library takes for itself.
    """
    function()
    if device.type == "cuda":
        _wait(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        _wait(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    with _LiveBytes() as live:
        function()
    return live.peak / 2**20


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of tensors that operations make, while anything refers to them."""

    def __init__(self):
        super().__init__()
        self.held = self.peak = 0
        self.known = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self.known:
            return
        size = storage.nbytes()
        self.known.add(key)
        self.held += size
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._release, key, size)

    def _release(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.held -= size


def as_json(timings: dict[str, Timing]) -> dict[str, dict[str, float]]:
    return {name: asdict(timing) for name, timing in timings.items()}
