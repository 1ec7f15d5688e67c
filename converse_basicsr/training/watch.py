"""Ends a process when another one of the run has failed or died, so that none waits for it forever."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch.distributed as dist

from .logs import log

INTERVAL = 1.0  # seconds between two signs of life
LOOKS = 40  # without a new sign of life after which a process counts as dead
INFORMED = 5  # intervals after which all that live know of a failure
GRACE = 2.0  # seconds that the others stay longer than the process that says why: torchrun ends all at the first exit
EXIT_CODE = 1


class Watch:
    """Each process gives signs of life in a store that connects all of them, and watches the next process.

    The process that fails first says why; the others end silently. Looks are counted, not seconds, so a job that was
    suspended as a whole continues.

    Args:
        store: a connection of its own to the store.
        rank: number of this process.
        world_size: number of processes.
        speaks: whether this process says that the store is gone; without it they cannot agree who does.
        interval: seconds between two signs of life.
        looks: number of looks without a new sign of life after which a process counts as dead.

    Attributes:
        hosts: for every rank the name of its machine, after start.
    """

    def __init__(
        self,
        store: dist.Store,
        rank: int,
        world_size: int,
        speaks: bool,
        interval: float = INTERVAL,
        looks: int = LOOKS,
    ):
        self.store, self.rank, self.world_size, self.speaks = store, rank, world_size, speaks
        self.interval, self.looks = interval, looks
        self.next = (rank + 1) % world_size
        self.hosts: list[str] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self, timeout: timedelta) -> None:
        """Wait until all processes are here, then watch them in a thread.

        Raises:
            torch.distributed.DistError: not all came in time.
        """
        self.store.set(f"host/{self.rank}", socket.gethostname())
        self.store.set(f"alive/{self.rank}", "0")
        self.store.wait([f"alive/{rank}" for rank in range(self.world_size)], timeout)
        self.hosts = [self.store.get(f"host/{rank}").decode() for rank in range(self.world_size)]
        if self.world_size > 1:
            self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._done.set()

    def failed(self, report: str) -> bool:
        """Note an error of this process for the log; return whether it is the first of all processes."""
        self.stop()
        try:
            return self._failed(report)
        except RuntimeError:  # the store is gone
            return True

    def explain(self, error: BaseException) -> None:
        """After a lost connection, wait until the watch ends this process because another one failed or died."""
        if self._thread.is_alive() and is_lost_connection(error):
            _log(f"connection lost: {str(error).splitlines()[0]}")
            longest = 2 * self.looks * self.interval
            self.looks //= 4  # fewer are enough now
            self._thread.join(longest)

    def _watch(self) -> None:
        beats = silent = 0
        last = b""
        while not self._done.wait(self.interval):
            beats += 1
            try:
                with self._expected():
                    self.store.set(f"alive/{self.rank}", str(beats))
                    report = self.store.get("failed") if self.store.check(["failed"]) else None
                    sign = self.store.get(f"alive/{self.next}")
            except RuntimeError:
                return None if self._done.is_set() else self._lost()
            if self._done.is_set():  # the main thread ends this process
                return None
            if report:
                self._leave_together(first=False)
                return self._end(report.decode())
            silent = silent + 1 if sign == last else 0
            last = sign
            if silent >= self.looks:
                host, seconds = self.hosts[self.next], silent * self.interval
                reason = f"rank {self.next} on {host} has died: no sign of life for {seconds:.0f} s"
                return self._end(reason, speak=self._failed(reason))

    def _failed(self, report: str) -> bool:
        with self._expected():
            first = self.store.add("failures", 1) == 1
            if first:
                self.store.set("failed", report)
        self._leave_together(first)
        return first

    def _leave_together(self, first: bool) -> None:
        """Wait until all know of the failure, since this process may hold the store; the first leaves first."""
        self.store.add("informed", 1)
        if not first:
            time.sleep(INFORMED * self.interval + GRACE)
            return
        for _ in range(5 * INFORMED):
            if self.store.add("informed", 0) >= self.world_size:
                break
            time.sleep(self.interval / 5)

    def _lost(self) -> None:
        self._end("the process that connects the others (rank 0, or torchrun) has died", speak=self.speaks)

    def _end(self, reason: str, speak: bool = False) -> None:
        _log(reason)
        if speak:
            print(f"basicsr: error: {reason}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT_CODE)

    @contextmanager
    def _expected(self) -> Iterator[None]:
        """End this process if the store does not answer, as when its machine is gone."""
        answered = threading.Event()
        threading.Thread(target=self._expect, args=(answered,), daemon=True).start()
        try:
            yield
        finally:
            answered.set()

    def _expect(self, answered: threading.Event) -> None:
        if not any(answered.wait(self.interval) for _ in range(self.looks)):
            self._lost()


def _log(text: str) -> None:
    """Write to the log file, which rank 0 has while the logs are open."""
    if log.handlers:
        log.error(text, extra={"only_file": True})


def is_lost_connection(error: BaseException) -> bool:
    """Whether this error means that another process does not answer."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))
