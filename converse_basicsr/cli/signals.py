"""Signals that end a command."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Within the block SIGINT and SIGTERM raise KeyboardInterrupt(signal number) once; further ones are ignored."""

    def interrupt(number: int, frame: object) -> None:
        for each in previous:
            signal.signal(each, signal.SIG_IGN)  # a second Ctrl-C must not stop the removal of partial files
        raise KeyboardInterrupt(number)

    previous = {each: signal.signal(each, interrupt) for each in _ENDING}
    try:
        yield
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
