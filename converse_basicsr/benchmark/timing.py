"""Time and memory of functions, measured side by side in one run.

A CUDA device is synchronised before and after each call.
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
from torch.utils._pytree import tree_leaves

MIN_RUNS, MAX_RUNS, SECONDS = 9, 30, 3.0


@dataclass(frozen=True)
class Timing:
    """Milliseconds: median, quartiles, and the number of runs."""

    median: float
    low: float
    high: float
    runs: int


def time_together(functions: dict[str, Callable[[], object]], device: torch.device) -> dict[str, Timing]:
    """Time functions in rounds, after one warm-up call each, so that a drift of the machine's speed affects all.

    The order changes from round to round, since a function that fills caches and memory slows down the next one.
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
            _synchronise(device)
            start = time.perf_counter()
            functions[name]()
            _synchronise(device)
            samples[name].append((time.perf_counter() - start) * 1e3)
    quartiles = {name: statistics.quantiles(values, n=4) for name, values in samples.items()}
    return {name: Timing(median, low, high, len(samples[name])) for name, (low, median, high) in quartiles.items()}


def as_json(timings: dict[str, Timing]) -> dict[str, dict[str, float]]:
    return {name: asdict(timing) for name, timing in timings.items()}


def evaluating(function: Callable, *inputs) -> Callable[[], None]:
    """The call function(*inputs) without gradients."""

    def run() -> None:
        with torch.no_grad():
            function(*inputs)

    return run


def training_step(function: Callable, y: Tensor, *others) -> Callable[[], None]:
    """Forward and backward of function(y, *others), including the gradient of y, as for a layer inside a network.

    Gradients of parameters accumulate from call to call; there is no optimiser step.
    """

    def run() -> None:
        leaf = y.detach().requires_grad_()
        function(leaf, *others).square().mean().backward()

    return run


def peak_memory(function: Callable[[], object], device: torch.device) -> float:
    """Peak MiB in torch's tensors during a call, beyond what is held after a first call.

    So parameters and their gradients do not count, nor the workspace of a CUDA library.
    """
    function()
    if device.type == "cuda":
        _synchronise(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        _synchronise(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    with _LiveBytes() as live:
        function()
    return live.peak / 2**20


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that operations create, as long as they are referenced."""

    def __init__(self):
        super().__init__()
        self.sizes = {}
        self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and (storage := tensor.untyped_storage())._cdata not in self.sizes:
                self.sizes[storage._cdata] = storage.nbytes()
                weakref.finalize(storage, self.sizes.pop, storage._cdata)
        self.peak = max(self.peak, sum(self.sizes.values()))
        return result
