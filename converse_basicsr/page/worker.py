"""The one thread that restores; other restorations wait in a line."""

import threading
from collections.abc import Callable

from ..errors import UserError, in_one_line
from .job import CANCELLED, DONE, FAILED, WAITING, Job

MOST_WAITING = 20


class Cancelled(Exception):
    """The user has cancelled the restoration."""


class Worker:
    """Restores one job after the other.

    Args:
        prepare: called once in the thread before the first job.
        restore: called with a job, in the thread. It sets job.result, and raises Cancelled soon after job.cancelled.
    """

    def __init__(self, prepare: Callable[[], None], restore: Callable[[Job], None]):
        self._prepare, self._restore = prepare, restore
        self._changed = threading.Condition()
        self._line: list[Job] = []  # the first one runs, or is the next to run
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="restoration", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, job: Job) -> None:
        """Put a job at the end of the line; UserError if that is too long."""
        with self._changed:
            if len(self._line) > MOST_WAITING:
                raise UserError(f"{MOST_WAITING} restorations wait already; wait for one of them, or cancel it")
            self._line.append(job)
            self._changed.notify()

    def place(self, job: Job) -> int:
        """The number of restorations before this one."""
        with self._changed:
            return self._line.index(job) if job in self._line else 0

    def cancel(self, job: Job) -> None:
        """End a job: at once if it waits, soon if it runs."""
        with self._changed:
            job.cancelled = True
            if job.state == WAITING:
                self._line.remove(job)
                job.end(CANCELLED)

    def stop(self, timeout: float = 10) -> None:
        """End all jobs, and wait for the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
            jobs = list(self._line)
        for job in jobs:
            self.cancel(job)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        self._prepare()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._line or self._stopped)
                if self._stopped:
                    return
                job = self._line[0]
                job.start()
            state, error = self._outcome(job)
            with self._changed:
                self._line.remove(job)
                job.end(state, error)

    def _outcome(self, job: Job) -> tuple[str, str]:
        from ..restoration.devices import is_out_of_memory

        try:
            self._restore(job)
        except Cancelled:
            return CANCELLED, ""
        except UserError as error:
            return FAILED, in_one_line(error)
        except Exception as error:  # a bug, or a failure that nobody foresaw: the next job may succeed
            if is_out_of_memory(error):
                return FAILED, "not enough memory; give a smaller tile"
            text = str(error).strip().splitlines()
            return FAILED, f"unexpected {type(error).__name__}: {text[0] if text else ''}"
        return DONE, ""
