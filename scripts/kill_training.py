"""Kill a training again and again with SIGKILL, resume it, and compare the weights with an uninterrupted training.

    python scripts/kill_training.py --count 50 --seed 0

A third of the kills come while the training starts, a third while it trains, and a third inside a save. The training
runs on one thread, where results are bitwise reproducible. Exit code 1 if a weight differs.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from tiny import options, write_images  # noqa: E402

MOMENTS = ("start", "training", "save")
START = 3.0  # seconds: a process needs about as long to its first iteration
LATEST = 1.0  # seconds of training before a kill
PATIENCE = 120.0  # seconds until a training that makes no progress is given up
SAVE_EVERY = 4
ITERATIONS_PER_KILL = 60  # more than a run does before it is killed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50, help="number of kills (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        return run(args.count, args.seed)


def run(count: int, seed: int) -> int:
    """Train twice in the current directory, the second time with kills; return the exit code."""
    write_images(Path("data"))
    for name in ("whole", "killed"):
        Path(f"{name}.yml").write_text(yaml.safe_dump(training(name, count * ITERATIONS_PER_KILL)))
    rng, done, begin = random.Random(seed), Counter(), time.perf_counter()
    for number in range(count):
        moment = MOMENTS[number % len(MOMENTS)]
        kill_once(moment, rng.uniform(0, START if moment == "start" else LATEST))
        done[moment] += 1
        print(f"kill {number + 1} of {count}: {moment}, newest state {newest_state()}", flush=True)
    for name in ("killed", "whole"):
        if code := start(name).wait():
            print(Path(f"{name}.txt").read_text())
            raise SystemExit(f"the training ended with exit code {code}")
    different = [name for name, equal in compare().items() if not equal]
    kinds = ", ".join(f"{done[moment]} {words}" for moment, words in zip(
        MOMENTS, ("while it starts", "while it trains", "inside a save"), strict=True))  # fmt: skip
    minutes = (time.perf_counter() - begin) / 60
    print(f"{count} kills ({kinds}), {count * ITERATIONS_PER_KILL} iterations, {minutes:.1f} minutes: "
          f"{len(different)} of {len(compare())} tensors differ")  # fmt: skip
    return 1 if different else 0


def training(name: str, total: int) -> dict:
    """Options with random crops, kernels and noise, a data-loader worker, EMA and validation."""
    opt = options(name=name, model_type="RestorationModel", scale=2, train__total_iter=total, val__val_freq=40)
    opt["network_g"] = {"type": "ConverseUSRNet", "num_feat": 4, "num_block": 1, "num_iterations": 1, "num_embed": 2}
    for section in opt["datasets"].values():
        section.update(type="BlurDataset", psf="gaussian")
        del section["dataroot_lq"]
    opt["datasets"]["train"].update(psf=["gaussian", "motion"], sigma=[1, 9], num_worker_per_gpu=1)
    opt["train"]["scheduler"]["periods"] = [total]
    opt["logger"].update(print_freq=1, save_checkpoint_freq=SAVE_EVERY, keep_last=3)
    return opt


def start(name: str) -> subprocess.Popen:
    command = ["-m", "converse_basicsr", "train", "-opt", f"{name}.yml", "--auto_resume", "--no_report"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    with open(f"{name}.txt", "w") as output:
        return subprocess.Popen([sys.executable, *command], stdout=output, stderr=subprocess.STDOUT, env=environment)


def kill_once(moment: str, delay: float) -> None:
    """Start or resume the training, and kill it at this moment, after this delay in seconds."""
    process = start("killed")
    if moment != "start":
        wait_for(process, lambda: "iteration " in Path("killed.txt").read_text().partition("log  ")[2])
    time.sleep(delay)
    if moment == "save":
        folders = [Path("experiments/killed", name) for name in ("models", "training_states")]
        wait_for(process, lambda: any(path for folder in folders for path in folder.glob("*.partial")))
    process.kill()
    if process.wait() != -9:
        raise SystemExit(f"the training ended before it was killed:\n{Path('killed.txt').read_text()}")


def wait_for(process: subprocess.Popen, condition: Callable[[], bool]) -> None:
    """Poll until the condition holds, or the process has ended."""
    end = time.monotonic() + PATIENCE
    while not condition() and process.poll() is None:
        if time.monotonic() > end:
            process.kill()
            raise SystemExit(f"no progress for {PATIENCE:.0f} s:\n{Path('killed.txt').read_text()}")


def newest_state() -> int:
    return max((int(path.stem) for path in Path("experiments/killed/training_states").glob("*.state")), default=0)


def compare() -> dict[str, bool]:
    """For every tensor of the final networks, whether both trainings have bitwise the same."""
    levels = [
        torch.load(f"experiments/{name}/models/net_g_latest.pth", weights_only=True) for name in ("killed", "whole")
    ]
    return {
        f"{level} {name}": torch.equal(value, levels[1][level][name])
        for level in ("params", "params_ema")
        for name, value in levels[0][level].items()
    }


if __name__ == "__main__":
    sys.exit(main())
