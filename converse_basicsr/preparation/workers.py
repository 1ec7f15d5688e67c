"""A parallel map that keeps the order and computes a few items ahead."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import cv2
import torch

_AHEAD = 2  # items per worker; limits memory when writing is slow

Item, Result = TypeVar("Item"), TypeVar("Result")
OrderedMap = Callable[[Callable[[Item], Result], Iterable[Item]], Iterator[Result]]


@contextmanager
def worker_processes(count: int) -> Iterator[OrderedMap]:
    """A ``map`` that runs in this many processes (1: the built-in map); exceptions of the calls are raised here."""
    if count == 1:
        yield map
        return
    executor = ProcessPoolExecutor(count, mp_context=_context(), initializer=_start_worker)

    def ordered_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        waiting = deque()
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) == count * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    try:
        yield ordered_map
    finally:
        executor.shutdown(cancel_futures=True)


def _context() -> multiprocessing.context.BaseContext:
    """forkserver or spawn: after a plain fork, locks held by other threads would never be released."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__package__])
    return context


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent ends the workers
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
