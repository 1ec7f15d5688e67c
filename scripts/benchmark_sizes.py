#!/usr/bin/env python3
"""Time and memory of one image's evaluation, from 64x64 to 1024x1024: our networks, the literal form, baselines.

    python scripts/benchmark_sizes.py [--json FILE] [--picture FILE] [--largest 1024] [--only WHICH]

Each case runs in a process of its own, as `basicsr` sets it up. Memory is the peak of the process beyond what it holds
with the network loaded (Linux only). Time is the median of several runs, or of one where a run takes over 5 seconds.
Prints a Markdown table.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tqdm import tqdm

SIZES = (64, 128, 256, 512, 1024)
LITERAL_LIMIT = 256  # the literal form needs about three times the memory and time
NETWORKS = {  # name: (task, constructor, its options, channels, largest size)
    "Converse-SRResNet x4": ("x4", "ConverseSRResNet", {}, 3, 512),
    "Converse-SRResNet x4, literal": ("x4", "ConverseSRResNet", {}, 3, LITERAL_LIMIT),
    "MSRResNet x4": ("x4", "UpsamplerSRResNet", {}, 3, 512),
    "Converse-DnCNN": ("denoising", "ConverseDnCNN", {}, 1, 1024),
    "Converse-DnCNN, literal": ("denoising", "ConverseDnCNN", {}, 1, LITERAL_LIMIT),
    "DnCNN": ("denoising", "DnCNN", {}, 1, 1024),
}
COLOURS = {"Converse": "#2a6f97", "literal": "#b0413e", "baseline": "#557a46"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write a chart (PNG)")
    parser.add_argument("--largest", type=int, default=SIZES[-1], metavar="N", help="default: %(default)s")
    parser.add_argument("--only", default="", metavar="WHICH", help="part of a network's name")
    parser.add_argument("--case", nargs=2, metavar=("NETWORK", "SIZE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        print(json.dumps(measure(args.case[0], int(args.case[1]))))
        return
    cases = [
        (name, size)
        for size in SIZES
        for name, (*_, largest) in NETWORKS.items()
        if size <= min(largest, args.largest) and args.only in name
    ]
    load, rows = os.getloadavg()[0], []
    for name, size in tqdm(cases, desc="cases", unit="case"):
        command = [sys.executable, __file__, "--case", name, str(size)]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        rows.append({"network": name, "size": size, **json.loads(output.splitlines()[-1])})
    from converse_basicsr.benchmark.environment import environment

    results = {"environment": {**environment("cpu"), "load before": load}, "rows": rows}
    print(", ".join(f"{key} {value}" for key, value in results["environment"].items()))
    print_table(rows)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    if args.picture:
        save_chart(results, args.picture)


def measure(name: str, size: int) -> dict:
    """Seconds and peak GB of one evaluation."""
    from converse_basicsr.cli.allocator import keep_large_buffers
    from converse_basicsr.cli.waiting import shorten_spinning

    shorten_spinning()
    import torch
    from literal import on_literal_form

    from converse_basicsr import networks

    keep_large_buffers()
    torch.manual_seed(0)
    _, constructor, options, channels, _ = NETWORKS[name]
    network = getattr(networks, constructor)(**options).eval()
    if "literal" in name:
        network = on_literal_form(network)
    x = torch.rand(1, channels, size, size)
    seconds = []
    with torch.no_grad():
        network(x[..., :16, :16])
        before = resident("VmRSS")
        while not seconds or (len(seconds) < 9 and sum(seconds) < 5):
            start = time.perf_counter()
            network(x)
            seconds.append(time.perf_counter() - start)
    return {
        "seconds": statistics.median(seconds),
        "runs": len(seconds),
        "gigabytes": resident("VmHWM") - before,
        "spins": os.environ.get("GOMP_SPINCOUNT"),
    }


def resident(key: str) -> float:
    """GB of this process: 'VmRSS' now, 'VmHWM' at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{key}:")[1].split()[0]) * 1024 / 1e9


def print_table(rows: list[dict]) -> None:
    print("\n| network | input | time, s | runs | time per pixel, us | peak memory, GB |\n|---|---|---|---|---|---|")
    for name in NETWORKS:
        for row in rows:
            if row["network"] == name:
                per_pixel = 1e6 * row["seconds"] / row["size"] ** 2
                print(
                    f"| {name} | {row['size']}x{row['size']} | {row['seconds']:.3g} | {row['runs']} | {per_pixel:.1f} "
                    f"| {row['gigabytes']:.2f} |"
                )


def save_chart(results: dict, path: Path) -> None:
    """Time and memory per input pixel over the size of the image, a row of panels for each task."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = results["rows"]
    figure, axes = plt.subplots(2, 2, figsize=(11, 7), constrained_layout=True)
    quantities = (("seconds", 1e6, "microseconds per input pixel"), ("gigabytes", 1e6, "kB per input pixel"))
    for line, task in zip(axes, ("x4", "denoising"), strict=True):
        for axis, (key, factor, words) in zip(line, quantities, strict=True):
            for name in NETWORKS:
                points = [row for row in rows if row["network"] == name and NETWORKS[name][0] == task]
                kind = "literal" if "literal" in name else "Converse" if "Converse" in name else "baseline"
                values = [factor * row[key] / row["size"] ** 2 for row in points]
                if points:
                    axis.plot([row["size"] for row in points], values, "o-", color=COLOURS[kind], label=name)
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
            axis.set_xticks(SIZES, SIZES)
            axis.set_xlabel("side of the input, pixels")
            axis.set_ylabel(words)
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8)
    facts = results["environment"]
    figure.suptitle(f"{facts['hardware']}, torch {facts['torch']}, {facts['commit']}", fontsize=9)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
