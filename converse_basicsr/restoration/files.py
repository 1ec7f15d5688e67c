"""Restoring many files: every picture is read, restored, written, and reported in one line."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..errors import UserError, plain
from ..images.formats import QUALITY
from ..images.picture import Picture
from ..images.reading import read_picture
from ..images.writing import write_picture
from . import measuring
from .devices import is_out_of_memory
from .jobs import Job
from .measuring import Scores
from .pipeline import overlapped
from .pixels import restore_pixels
from .restorer import Restorer

_BAR = "{percentage:3.0f}%|{bar}| {n:.1f} of {total} pictures [{elapsed}, ETA {remaining}, {rate_fmt}]"


@dataclass(frozen=True)
class Outputs:
    """What is written and shown beside the restored pictures.

    Attributes:
        quality: of JPEG and WebP.
        panels: whether to write comparison panels.
        gt: the ground truth of each job, if scores are to be shown.
        metric: 'y' or 'rgb'.
        batch: pictures of the same size that are restored together.
    """

    quality: int = QUALITY
    panels: bool = False
    gt: dict[Job, Path] = field(default_factory=dict)
    metric: str = "rgb"
    batch: int = 1


@dataclass(frozen=True)
class Restored:
    """A picture before and after, with the seconds it took and what is to be said about it."""

    before: Picture
    after: Picture
    seconds: float
    notes: tuple[str, ...]


class Run:
    """Restores files; prints a line for each, and a bar on a terminal.

    Args:
        restorer: the network and its settings; its notes must be appended to `notes`.
        notes: a list.
        outputs: what to write and show.
    """

    def __init__(self, restorer: Restorer, notes: list[str], outputs: Outputs):
        self.restorer = restorer
        self.notes = notes
        self.outputs = outputs
        self.scores: list[Scores] = []
        self.failed = 0
        self.given = 0  # pictures that have been given to the network

    def restore(self, jobs: list[Job]) -> None:
        """Restore and write these; those that fail are reported and counted."""
        with tqdm(total=len(jobs), bar_format=_BAR, unit="picture", disable=None) as self.bar:
            for job, result in overlapped(jobs, self._read, self._restore, self._write, self.outputs.batch, self._kind):
                if isinstance(result, Exception):
                    self._fail(job, result)
                else:
                    tqdm.write(result)
                    sys.stdout.flush()
            self.bar.n = len(jobs)

    def measure_written(self, jobs: list[Job]) -> None:
        """Show the scores of pictures that were written earlier."""
        for job in jobs:
            try:
                scores = self._measure(job, read_picture(job.target))
                print(f"{plain(job.target)}: {scores}")
            except UserError as error:
                self._fail(job, error)

    def _read(self, job: Job) -> Picture:
        return read_picture(job.source)

    @staticmethod
    def _kind(picture: Picture) -> tuple:
        return picture.pixels.shape, picture.pixels.dtype, picture.alpha is None

    def _restore(self, pictures: list[Picture]) -> list[Restored]:
        start = time.perf_counter()
        self.notes.clear()

        def progress(done: int, total: int) -> None:
            self.bar.n = self.given + len(pictures) * done / total
            self.bar.refresh()

        alpha = None if pictures[0].alpha is None else np.stack([picture.alpha for picture in pictures])
        pixels = np.stack([picture.pixels for picture in pictures])
        try:
            pixels, alpha = restore_pixels(self.restorer, pixels, alpha, progress)
        finally:
            self.given += len(pictures)
        seconds = (time.perf_counter() - start) / len(pictures)
        return [
            Restored(
                picture,
                picture.with_pixels(pixels[i], None if alpha is None else alpha[i]),
                seconds,
                tuple(dict.fromkeys([*picture.notes, *self.notes])),
            )
            for i, picture in enumerate(pictures)
        ]

    def _write(self, job: Job, restored: Restored) -> str:
        """Write the picture and its panel; return the line to show."""
        write_picture(job.target, restored.after, job.format, self.outputs.quality)
        words = [f"{restored.before.size} -> {restored.after.size}, {restored.seconds:.1f} s", *restored.notes]
        gt = None
        if job in self.outputs.gt:
            gt = self._gt(job, restored.after)
            words.append(str(self._score(restored.after, gt)))
        if self.outputs.panels:
            from .comparison import save_panel

            save_panel(restored.before, restored.after, job.panel, gt)
        return f"{plain(job.target)}: {'; '.join(words)}"

    def _measure(self, job: Job, picture: Picture) -> Scores:
        return self._score(picture, self._gt(job, picture))

    def _gt(self, job: Job, picture: Picture) -> np.ndarray:
        return measuring.read_gt(self.outputs.gt[job], picture.pixels.shape[:2], self.restorer.scale)

    def _score(self, picture: Picture, gt: np.ndarray) -> Scores:
        scores = measuring.measure(picture, gt, self.outputs.metric, self.restorer.scale)
        self.scores.append(scores)
        return scores

    def _fail(self, job: Job, error: Exception) -> None:
        self.failed += 1
        tqdm.write(f"failed: {_reason(job, error)}", file=sys.stderr)


def _reason(job: Job, error: Exception) -> str:
    name = plain(job.source)
    if is_out_of_memory(error):
        return f"{name}: not enough memory"
    text = str(error).strip().splitlines()
    if not isinstance(error, UserError):
        return f"{name}: unexpected {type(error).__name__}: {text[0] if text else ''}"
    return text[0] if any(plain(path) in text[0] for path in (job.source, job.target)) else f"{name}: {text[0]}"
