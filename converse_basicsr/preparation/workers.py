"""Work on many items in several processes, in order and a few ahead of what is taken."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import cv2
import torch

_AHEAD = 2  # items a worker, so that results do not pile up when writing is slow

Item, Result = TypeVar("Item"), TypeVar("Result")
OrderedMap = Callable[[Callable[[Item], Result], Iterable[Item]], Iterator[Result]]


@contextmanager
def worker_processes(count: int) -> Iterator[OrderedMap]:
    """A ``map`` whose calls run in this many processes, the built-in one for 1; what a call raises is raised here."""
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
    """For workers that do not begin as a copy of this process, where locks held by its threads would never open."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__package__])
    return context


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to every process; the first one ends the others
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
