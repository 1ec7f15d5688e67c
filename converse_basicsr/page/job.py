"""One restoration, from the line to its result."""

import time
from dataclasses import dataclass, field

from ..images.picture import Picture
from .pictures import Upload, describe
from .settings import Settings

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
_LEAST_SHARE, _LEAST_SECONDS = 0.02, 0.5  # before these, the remaining time cannot be told


@dataclass(eq=False)
class Job:
    """A restoration.

    Attributes:
        id: as the page names it in its requests.
        upload, settings: what to restore, and how.
        state: one of the constants of this file.
        share: of the work that is done, 0 to 1.
        notes: what the user should know, in words.
        error: why it failed, in one line.
        result: the restored picture.
        cancelled: whether the user wants it to end.
    """

    id: str
    upload: Upload
    settings: Settings
    state: str = WAITING
    share: float = 0.0
    notes: list[str] = field(default_factory=list)
    error: str = ""
    result: Picture | None = None
    cancelled: bool = False
    seconds: float | None = None
    started: float | None = None

    @property
    def is_over(self) -> bool:
        return self.state in (DONE, FAILED, CANCELLED)

    def start(self) -> None:
        self.state, self.started = RUNNING, time.monotonic()

    def end(self, state: str, error: str = "") -> None:
        self.seconds = time.monotonic() - self.started if self.started is not None else 0.0
        self.error, self.state = error, state

    def remaining(self) -> float | None:
        """The seconds that it will still take, None if that cannot be told."""
        if self.state != RUNNING:
            return None
        elapsed = time.monotonic() - self.started
        if self.share < _LEAST_SHARE or elapsed < _LEAST_SECONDS:
            return None
        return elapsed * (1 - self.share) / self.share

    def describe(self, place: int) -> dict:
        """Its state as JSON; place is the number of restorations before it."""
        return {
            "id": self.id,
            "state": self.state,
            "place": place,
            "share": self.share,
            "remaining": self.remaining(),
            "seconds": self.seconds,
            "notes": list(dict.fromkeys(self.notes)),
            "error": self.error,
            "result": None if self.result is None else describe(self.result),
        }
