"""Measure the memory of a long, tiny training: it must not grow.

    python scripts/long_training.py --iterations 20000 --picture docs/images/memory.png

The training uses a data-loader worker, EMA, validation and saved states. The memory is the resident set of the process
and its workers. Exit code 1 if the second half of the training uses 5 % more memory than the first.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil
import yaml
from kill_training import start, training
from tiny import write_images

from converse_basicsr.files.journal import JOURNAL, read_entries

MIB = 2**20
INTERVAL = 0.1  # seconds between two samples
MOST = 0.05  # growth between the medians of both halves


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=20_000, help="length of the training (default: %(default)s)")
    parser.add_argument("--picture", type=Path, help="save the curve as PNG")
    args = parser.parse_args()
    picture = args.picture and args.picture.resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        samples = measure(args.iterations)
    if picture:
        save_curve(samples, picture)
    return report(samples, args.iterations)


def measure(iterations: int) -> list[tuple[int, float]]:
    """(iteration, MiB) at short intervals, from the first line of the journal on."""
    write_images(Path("data"))
    opt = training("long", iterations)
    opt["logger"].update(print_freq=20, save_checkpoint_freq=max(1, iterations // 40))
    opt["val"]["val_freq"] = max(1, iterations // 20)
    Path("long.yml").write_text(yaml.safe_dump(opt))
    process, samples = start("long"), []
    journal = Path("experiments/long", JOURNAL)
    while process.poll() is None:
        time.sleep(INTERVAL)
        entries = read_entries(journal)
        if entries and entries[-1]["iter"] < iterations:  # the last sample may miss the worker, which has ended
            samples.append((entries[-1]["iter"], resident(process.pid)))
    if process.returncode or not samples:
        raise SystemExit(Path("long.txt").read_text())
    return [sample for sample in samples if sample[1] > 0]


def resident(pid: int) -> float:
    """The resident set of a process and its children in MiB; 0 if it has ended."""
    try:
        process = psutil.Process(pid)
        return sum(part.memory_info().rss for part in (process, *process.children(recursive=True))) / MIB
    except psutil.NoSuchProcess:
        return 0.0


def report(samples: list[tuple[int, float]], iterations: int) -> int:
    halves = [[m for i, m in samples if (i > iterations / 2) == late] for late in (False, True)]
    before, after = (median(half) for half in halves)
    print(f"{iterations} iterations: median memory {before:.1f} MiB in the first half, {after:.1f} MiB in the second; "
          f"least {min(m for _, m in samples):.1f}, most {max(m for _, m in samples):.1f}")  # fmt: skip
    return 1 if after > before * (1 + MOST) else 0


def save_curve(samples: list[tuple[int, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3), layout="constrained")
    axes.plot(*zip(*samples, strict=True))
    axes.set(xlabel="iteration", ylabel="memory, MiB", ylim=(0, None))
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    sys.exit(main())
