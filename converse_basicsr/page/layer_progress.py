"""Progress within one call of a network, and cancelling in the midst of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ..layers import ConverseBlock
from ..restoration.restorer import Restorer

_SIDE = 32  # of the image that tells how much of the time each layer takes
_LEAST_PIXELS = 100 * 100  # a smaller picture is done before that is worth it


@contextmanager
def reporting_layers(
    restorer: Restorer, pixels: int, report: Callable[[float], None]
) -> Iterator[Callable[[int, int], None]]:
    """Within the block report(share) is called with the share of the work that is done, at every layer.

    It may raise an exception to end the restoration. Blocks of the Converse networks are watched from outside, which
    leaves their fast paths as they are.

    Args:
        restorer: its network gets hooks for the time of the block.
        pixels: of the picture.
        report: called in the thread that restores.

    Yields:
        progress(done, total) of calls, for the restorer.
    """
    watch = _Watch(report)
    hooks = [layer.register_forward_hook(watch.passed) for layer in _layers(restorer.network)]
    try:
        if hooks and pixels >= _LEAST_PIXELS:
            watch.shares = _shares(restorer, watch)
        yield watch.progress
    finally:
        for hook in hooks:
            hook.remove()


def _layers(network: nn.Module) -> list[nn.Module]:
    blocks = [module for module in network.modules() if isinstance(module, ConverseBlock)]
    return blocks or [module for module in network.modules() if next(module.children(), None) is None]


class _Watch:
    """Where the restoration is: in which call, and behind how many layers of it."""

    def __init__(self, report: Callable[[float], None]):
        self.report = report
        self.shares: list[float] = []  # of the time of a call, behind each layer
        self.times: list[float] = []  # when each layer was passed in this call
        self.done, self.total = 0, 1

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self.times.clear()
        self.report(done / total)

    def passed(self, module: nn.Module, args: tuple, output: object) -> None:
        self.times.append(time.perf_counter())
        within = self.shares[len(self.times) - 1] if len(self.times) <= len(self.shares) else 0
        self.report(min((self.done + within) / self.total, 1))  # 1 while a transparent picture's alpha is enlarged


def _shares(restorer: Restorer, watch: _Watch) -> list[float]:
    """Measured on a small image, [] if the network does not take it; the first of two calls fills caches."""
    side = max(_SIDE, restorer.least)
    image = torch.zeros(1, restorer.in_channels or 3, side, side, device=restorer.device)
    try:
        with torch.no_grad():
            for _ in range(2):
                watch.times.clear()
                start = time.perf_counter()
                restorer.call(image, restorer.kernel)
    except (RuntimeError, ValueError):  # a network of another project that takes no image of this size
        return []
    whole = time.perf_counter() - start
    shares = [(each - start) / whole for each in watch.times]
    watch.times.clear()
    return shares
