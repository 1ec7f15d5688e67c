"""Memory and time of a training step of Converse-SRResNet with RestorationModel's options, as rows of a table.

python scripts/training_step.py                 # docs/train.md; half a minute on two cores
python scripts/training_step.py --amp bf16 fp16 # minutes on a CPU without instructions for them
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from tiny import options  # noqa: E402

import converse_basicsr.archs  # noqa: E402
import converse_basicsr.models  # noqa: E402, F401 (register)
from converse_basicsr.benchmark.timing import peak_memory, time_together  # noqa: E402

from basicsr.models import build_model  # noqa: E402


def training_step(device: torch.device, use_checkpoint: bool = False, **train: object) -> Callable[[], None]:
    """A step of the network in its published size, with Adam and without EMA, on a batch of 4x3x24x24."""
    network = {"type": "ConverseSRResNet", "upscale": 4, "use_checkpoint": use_checkpoint}
    opt = options(model_type="RestorationModel", network_g=network)
    opt["train"].update(ema_decay=0, **train)
    place = {"is_train": True, "dist": False, "rank": 0, "world_size": 1, "num_gpu": int(device.type == "cuda")}
    model = build_model({**opt, **place})
    model.feed_data({"lq": torch.rand(4, 3, 24, 24), "gt": torch.rand(4, 3, 96, 96)})
    return lambda: model.optimize_parameters(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--amp", nargs="*", choices=("bf16", "fp16"), default=[], help="precisions to measure too")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = [{}, {"use_checkpoint": True}, {"use_checkpoint": True, "accum_iter": 2}]
    rows += [{"accum_iter": 2}, {"accum_iter": 4}, {"clip_grad_norm": 1.0}]
    for amp in parser.parse_args().amp:
        rows += [{"amp": amp}, {"amp": amp, "accum_iter": 2}]
    steps = {", ".join(f"{key}: {value}" for key, value in row.items()): training_step(device, **row) for row in rows}
    memory = {name: peak_memory(step, device) for name, step in steps.items()}
    times = {name: timing.median for name, timing in time_together(steps, device).items()}
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads")
    for name in steps:
        print(f"| {name or 'none'} | {memory[name]:.0f} | {times[name]:.0f} ms | {times[name] / times['']:.2f} |")


if __name__ == "__main__":
    main()
