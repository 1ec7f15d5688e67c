"""Progress of a restoration, for a bar or a page."""

from collections.abc import Callable

Progress = Callable[[int, int], None]


class Steps:
    """Counts the calls of the network for a progress function.

    Args:
        progress: called as progress(done, total), or None.
        parts: how many times the image is restored, channel by channel or image by image of a batch.
    """

    def __init__(self, progress: Progress | None, parts: int):
        self.progress = progress
        self.parts = parts
        self.part = -1
        self.done = self.total = 0

    def begin(self, total: int) -> None:
        """A part begins, or, after too little memory, begins again."""
        if self.done == self.total:
            self.part += 1
        self.done, self.total = 0, total
        self._report()

    def advance(self) -> None:
        self.done += 1
        self._report()

    def _report(self) -> None:
        if self.progress:
            self.progress(self.part * self.total + self.done, self.parts * self.total)
