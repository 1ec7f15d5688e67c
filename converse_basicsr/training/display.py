"""What a training shows: a short introduction, a live line, the results of validations; all of it in the log too."""

import sys
import time

import psutil
import torch
from tqdm import tqdm

from .logs import log

MIB = 2**20


class Display:
    """The live line on a terminal, or a line every print_freq iterations where the output is a file.

    Args:
        opt: the finished options.
        start: the iteration that the training continues from.
        show: False for all processes but the first.
    """

    def __init__(self, opt: dict, start: int, show: bool):
        self.total = opt["train"]["total_iter"]
        self.print_freq = opt["logger"]["print_freq"]
        self.live = show and sys.stdout.isatty()
        self.bar = tqdm(
            total=self.total, initial=start, unit="iter", disable=not self.live, file=sys.stdout, dynamic_ncols=True
        )
        self.start, self.started = start, time.perf_counter()
        self.waited = 0.0  # seconds for data since the last line
        self.last = start

    def trained(self, iteration: int, losses: dict[str, float], lr: float, waited: float) -> None:
        """Show a finished iteration; `waited` is the time for its data in seconds."""
        self.waited += waited
        numbers = ", ".join(f"{name} {value:.4e}" for name, value in losses.items())
        if self.live:
            self.bar.set_postfix_str(f"{numbers}, {memory()}", refresh=False)
            self.bar.update()
        if iteration % self.print_freq == 0 or iteration in (self.start + 1, self.total):
            self._line(iteration, numbers, lr)

    def _line(self, iteration: int, numbers: str, lr: float) -> None:
        seconds = (time.perf_counter() - self.started) / (iteration - self.start)
        for_data = self.waited / (iteration - self.last)
        left = duration(seconds * (self.total - iteration))
        line = (
            f"iteration {iteration:,} of {self.total:,}: {numbers}, lr {lr:.3e}, {seconds:.3f} s per iteration "
            f"({for_data:.3f} s waiting for data), ETA {left}, memory {memory()}"
        )
        self.waited, self.last = 0.0, iteration
        log.info(line, extra={"only_file": self.live})

    def paused(self, seconds: float) -> None:
        """Leave the time of a validation or a save out of the rate."""
        self.started += seconds
        if self.live:
            self.bar.start_t += seconds

    def close(self) -> None:
        self.bar.close()


def memory() -> str:
    """The largest GPU memory used so far, or this process's memory without a GPU."""
    if torch.cuda.is_available():
        return f"{torch.cuda.max_memory_allocated() / MIB:,.0f} MiB (GPU, peak)"
    return f"{psutil.Process().memory_info().rss / MIB:,.0f} MiB"


def duration(seconds: float) -> str:
    """Seconds as 1:02:03, or 2 d 1:02:03."""
    days, rest = divmod(max(0, round(seconds)), 86400)
    text = f"{rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days} d {text}" if days else text
