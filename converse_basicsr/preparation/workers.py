"""A parallel map that keeps the order and computes a few items ahead."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import cv2
import torch

_AHEAD = 2  # items per worker; limits memory when writing is slow
_ENDING = (signal.SIGINT, signal.SIGTERM)

Item, Result = TypeVar("Item"), TypeVar("Result")
OrderedMap = Callable[[Callable[[Item], Result], Iterable[Item]], Iterator[Result]]


@contextmanager
def worker_processes(count: int) -> Iterator[OrderedMap]:
    """A ``map`` that runs in this many processes (1: the built-in map); exceptions of the calls are raised here.

    No process is left when the block ends, whatever ends it: after an exception the workers are killed, and they end
    themselves if this process is killed.
    """
    if count == 1:
        yield map
        return
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(count, mp_context=_context(), initializer=_start_worker)
    with _signals_blocked():  # new processes inherit this: signals are left to this process, which ends the others
        executor.submit(int)

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
    except BaseException:
        for worker in set(multiprocessing.active_children()) - others:
            worker.kill()  # it may be busy for long, and nothing it makes is used
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _context() -> multiprocessing.context.BaseContext:
    """forkserver or spawn: after a plain fork, locks held by other threads would never be released."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__package__])
    return context


@contextmanager
def _signals_blocked() -> Iterator[None]:
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _start_worker() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
