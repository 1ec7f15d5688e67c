"""Ends a process when another one of the run died, so that none waits for it forever."""

import os
import sys
import threading
import time

from torch.distributed import Store

INTERVAL = 5.0  # seconds between two signs of life
SILENCE = 40.0  # seconds without a sign of life after which a process counts as dead
EXIT_CODE = 1


class Watch:
    """Signs of life of all processes, in the store that connects them.

    Args:
        store: a connection of its own to the store.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(self, store: Store, rank: int, world_size: int):
        self.store, self.rank, self.others = store, rank, [other for other in range(world_size) if other != rank]
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._beats = 0

    def start(self) -> None:
        """Give signs of life and watch the others, in a thread."""
        self._beat("0")
        if self.others:
            threading.Thread(target=self._watch, daemon=True).start()

    def failed(self) -> bool:
        """Note an error of this process; return whether it is the first one of all processes."""
        self._done.set()
        try:
            with self._lock:
                first = self.store.add("failures", 1) == 1
                self.store.set("failed", str(self.rank))
            return first
        except Exception:  # the process that holds the store is gone
            return self.rank == 0

    def finished(self) -> None:
        """Note the normal end of this process."""
        self._done.set()
        self._beat("finished")

    def _beat(self, sign: str) -> None:
        with self._lock:
            self.store.set(f"alive/{self.rank}", sign)

    def _watch(self) -> None:
        seen: dict[int, tuple[str, float]] = {}
        while not self._done.wait(INTERVAL):
            self._beats += 1
            try:
                self._beat(str(self._beats))
                with self._lock:
                    if self.store.check(["failed"]):
                        os._exit(EXIT_CODE)  # it has said why
                    signs = {rank: self._sign_of(rank) for rank in self.others}
            except Exception:  # torch raises several types when the store's host is gone
                self._end("the process that connects the others is gone")
            now = time.monotonic()
            for rank, sign in signs.items():
                if seen.get(rank, ("", now))[0] != sign:
                    seen[rank] = (sign, now)
                if sign != "finished" and now - seen.setdefault(rank, (sign, now))[1] > SILENCE:
                    self._end(f"rank {rank} has given no sign of life for {SILENCE:.0f} s")

    def _sign_of(self, rank: int) -> str:
        name = f"alive/{rank}"
        return self.store.get(name).decode() if self.store.check([name]) else ""

    def _end(self, reason: str) -> None:
        if self._done.is_set():
            return
        print(f"basicsr: error: rank {self.rank}: {reason}; stopped", file=sys.stderr, flush=True)
        os._exit(EXIT_CODE)
