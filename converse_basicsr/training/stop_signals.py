"""Signals that end a training: the current iteration is finished and its state saved."""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP") if hasattr(signal, name)]


class StopSignals:
    """Within this context SIGINT, SIGTERM, SIGUSR1 and SIGHUP are only noted; a second SIGINT ends the program at once.

    Signals that the program is told to ignore, for example by nohup, stay ignored.

    Args:
        announce: tell the user that the iteration is finished first.

    Attributes:
        received: number of the first signal, or 0.
    """

    def __init__(self, announce: bool = False):
        self.announce = announce
        self.received = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            respected = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in respected}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.received:
            self.received = number
            if self.announce:
                name = signal.Signals(number).name
                with suppress(OSError):  # not print, which the signal may have interrupted
                    os.write(2, f"\n{name}: stopping after this iteration; Ctrl-C stops at once\n".encode())
