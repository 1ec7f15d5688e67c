"""Measures the memory that each network needs to restore an image: python scripts/measure_memory.py

Writes converse_basicsr/restoration/memory.json, from which `basicsr restore` chooses whole image or tiles. Each
network with its default options (the published size) restores images of two sizes, each in a process of its own, on
the CPU (Linux only). From the growth of the largest resident size follow bytes per pixel of the output (the large
image) and a fixed part (what the small image needs beyond that). --only NAME measures one network and leaves the other
rows as they are.
"""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from converse_basicsr import __version__, networks
from converse_basicsr.cli.allocator import keep_large_buffers
from converse_basicsr.files.atomic import write_text
from converse_basicsr.inference.calling import call_network, takes_kernel
from converse_basicsr.inference.deconvolution import Deconvolution
from converse_basicsr.inference.sizes import widest

TABLE = Path(__file__).parents[1] / "converse_basicsr/restoration/memory.json"
SIDES = (320, 640)  # of the output
NAMES = (*networks.__all__, "Deconvolution")


def build(name: str) -> torch.nn.Module:
    if name == "Deconvolution":
        return Deconvolution(np.full((15, 15), 1 / 225))
    return getattr(networks, name)().eval()


def growth(name: str, side: int) -> int:
    """Bytes by which this process grows while it restores an image whose output has side x side pixels."""
    keep_large_buffers()
    network = build(name)
    scale = network.scale
    kernel = torch.full((1, 1, 7, 7), 1 / 49) if takes_kernel(network) else None
    channels = network.in_channels or 3
    x = torch.rand(1, channels, side // scale, side // scale)
    with torch.no_grad():
        call_network(network, x[..., :16, :16], kernel, scale)  # libraries allocate their own buffers
        before = resident("VmRSS")
        call_network(network, x, kernel, scale)
    return resident("VmHWM") - before


def resident(field: str) -> int:
    """Bytes: VmRSS, the resident size, or VmHWM, the largest so far (ru_maxrss would include the parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


def measure(name: str) -> dict:
    small, large = (
        int(
            subprocess.run(
                [sys.executable, __file__, "--grow", name, str(side)], check=True, capture_output=True
            ).stdout
        )
        for side in SIDES
    )
    per_pixel = math.ceil(large / SIDES[1] ** 2)
    return {
        "fixed": max(0, small - per_pixel * SIDES[0] ** 2),
        "per_pixel": per_pixel,
        "width": widest(build(name)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", choices=NAMES, help="measure one network")
    parser.add_argument("--grow", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.grow:
        print(growth(args.grow[0], int(args.grow[1])))
        return
    how = {"by": "scripts/measure_memory.py", "version": __version__, "torch": torch.__version__, "sides": SIDES}
    rows = json.loads(TABLE.read_text())["networks"] if args.only else {}
    for name in [args.only] if args.only else NAMES:
        rows[name] = measure(name)
        print(name, rows[name], flush=True)
    write_text(TABLE, json.dumps({"measured": how, "networks": rows}, indent=1) + "\n")
    print(f"wrote {TABLE}")


if __name__ == "__main__":
    main()
