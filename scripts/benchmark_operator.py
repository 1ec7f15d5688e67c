#!/usr/bin/env python3
"""Time Converse2D and the networks beside baselines: the literal closed form, a bare FFT pair, convolutions.

    python scripts/benchmark_operator.py [--json FILE] [--picture FILE] [--device cpu|cuda] [--only WHICH]

Medians of interleaved runs; compare only numbers of one run. Prints Markdown tables.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from literal import on_literal_form
from torch import Tensor, nn
from tqdm import tqdm

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr import Converse2D, converse2d_reference
from converse_basicsr.benchmark.environment import environment
from converse_basicsr.benchmark.timing import (
    Timing,
    as_json,
    evaluating,
    peak_memory,
    time_together,
    training_step,
)
from converse_basicsr.cli.allocator import keep_large_buffers
from converse_basicsr.layers.spatial import build_spatial_op

from basicsr.utils.registry import ARCH_REGISTRY

OPERATORS = [  # (N, C, h, w), kernel_size, scale, padding, padding_mode
    ((1, 128, 256, 256), 7, 1, 6, "circular"),
    ((1, 128, 128, 128), 5, 1, 4, "replicate"),
    ((4, 128, 48, 48), 5, 1, 4, "replicate"),
    ((16, 64, 64, 64), 5, 1, 4, "replicate"),
    ((1, 64, 128, 128), 2, 2, 2, "replicate"),
    ((8, 64, 48, 48), 3, 3, 2, "replicate"),
    ((2, 64, 101, 101), 5, 1, 4, "circular"),  # 109 is prime
]
NETWORKS = [  # arch, input shape, plain baseline
    ("ConverseSRResNet", (4, 3, 24, 24), "MSRResNet"),
    ("ConverseSRResNet", (1, 3, 64, 64), "MSRResNet"),
    ("ConverseDnCNN", (1, 1, 128, 128), "DnCNN"),
    ("ConverseUSRNet", (1, 3, 64, 64), None),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write a bar chart (PNG)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: %(default)s")
    parser.add_argument("--only", default="", metavar="WHICH", help="operator, networks, or part of a row's name")
    parser.add_argument("--compile", action="store_true", help="the networks under torch.compile too")
    parser.add_argument("--system_allocator", action="store_true", help="leave the C library's thresholds as they are")
    args = parser.parse_args()
    device = torch.device(args.device)
    allocator = "left as it is" if args.system_allocator else keep_large_buffers()
    torch.manual_seed(0)

    results = {"environment": {**environment(args.device), "allocator": allocator}, "operator": [], "networks": []}
    print(", ".join(f"{key} {value}" for key, value in results["environment"].items()))
    cases = [("operator", case) for case in OPERATORS] + [("networks", case) for case in NETWORKS]
    cases = [(kind, case) for kind, case in cases if args.only in f"{kind} {label(kind, case)}"]
    if not cases:
        parser.error(f"--only {args.only}: there is no such row")
    for kind, case in tqdm(cases, desc="cases", unit="case"):
        row = measure_operator(*case, device) if kind == "operator" else measure_network(*case, device, args.compile)
        results[kind].append({"label": label(kind, case), **row})
    for kind, columns in (("operator", OPERATOR_COLUMNS), ("networks", NETWORK_COLUMNS)):
        if results[kind]:
            print_tables(results[kind], columns)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    if args.picture:
        from chart import save_chart

        save_chart(results, args.picture)


def label(kind: str, case: tuple) -> str:
    if kind == "networks":
        return f"{case[0]} {'x'.join(map(str, case[1]))}"
    shape, kernel_size, scale, padding, _ = case
    return f"{'x'.join(map(str, shape))} k{kernel_size} s{scale} p{padding}"


OPERATOR_COLUMNS = ("literal", "ours, uncached", "ours, cached", "FFT pair", "depthwise")
NETWORK_COLUMNS = (
    "literal",
    "ours, uncached",
    "ours, cached",
    "ours, compiled",
    "depthwise-conv variant",
    "plain baseline",
)


def measure_operator(shape, kernel_size, scale, padding, mode, device) -> dict:
    c = shape[1]
    y = torch.randn(shape, device=device)
    layer = Converse2D(c, c, kernel_size, scale, padding, mode).to(device)
    baseline = depthwise_baseline(c, kernel_size, scale, mode).to(device)
    padded = F.pad(y, (padding,) * 4, mode)

    def literal(y: Tensor) -> Tensor:
        x = converse2d_reference(F.pad(y, (padding,) * 4, mode), layer.weight, layer.lam, scale)
        margin = padding * scale
        return x[..., margin : x.shape[-2] - margin, margin : x.shape[-1] - margin]

    def uncached(y: Tensor) -> Tensor:
        layer.filter_cache.clear()
        return layer(y)

    def fft_pair() -> Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(padded), s=padded.shape[-2:])

    functions = {"literal": literal, "ours, uncached": uncached, "ours, cached": layer, "depthwise": baseline}
    evaluation = {name: evaluating(function, y) for name, function in functions.items()}
    training = {name: training_step(function, y) for name, function in functions.items() if name != "ours, cached"}
    evaluation["FFT pair"] = fft_pair
    training["FFT pair"] = lambda: (fft_pair(), fft_pair())
    return measure_all(evaluation, training, device)


def depthwise_baseline(channels: int, kernel_size: int, scale: int, mode: str) -> nn.Module:
    """A depthwise (for s > 1 transposed) convolution without bias: Converse2D adds none either."""
    op = "conv" if scale == 1 else "conv_transpose"
    module = build_spatial_op(channels, kernel_size, scale, 0, mode, 1, spatial_op=op)
    module.bias = None
    return module


def measure_network(arch, shape, plain, device, compiled) -> dict:
    inputs = [torch.rand(shape, device=device)]
    if arch == "ConverseUSRNet":
        inputs.append(torch.full((shape[0], 1, 7, 7), 1 / 49, device=device))

    def build(name: str, **options) -> nn.Module:
        torch.manual_seed(0)
        return ARCH_REGISTRY.get(name)(**options).to(device).eval()

    ours = build(arch)
    nn.init.normal_(list(ours.parameters())[-1], std=0.02)  # gradients reach the body

    def uncached(*inputs: Tensor) -> Tensor:
        for module in ours.modules():
            if isinstance(module, Converse2D):
                module.filter_cache.clear()
        return ours(*inputs)

    networks = {
        "literal": on_literal_form(ours),
        "ours, uncached": uncached,
        "ours, cached": ours,
        "depthwise-conv variant": build(arch, spatial_op="conv"),
    }
    if plain:
        networks["plain baseline"] = build(plain)
    if compiled:
        networks["ours, compiled"] = torch.compile(ours)
    evaluation = {name: evaluating(network, *inputs) for name, network in networks.items()}
    training = {name: training_step(f, *inputs) for name, f in networks.items() if name != "ours, cached"}
    modules = [network for network in networks.values() if isinstance(network, nn.Module)]
    return measure_all(evaluation, training, device, modules)


UNMEASURED = ("FFT pair", "ours, compiled")  # memory: a compiled graph hides its own


def measure_all(evaluation: dict, training: dict, device: torch.device, modules: Sequence = ()) -> dict:
    evaluated = as_json(time_together(evaluation, device))
    for module in modules:
        module.train()  # a batch norm costs more then
    return {
        "evaluation": evaluated,
        "training": as_json(time_together(training, device)),
        "memory": {name: peak_memory(step, device) for name, step in training.items() if name not in UNMEASURED},
    }


def print_tables(rows: list[dict], columns: tuple[str, ...]) -> None:
    for kind, unit in (("evaluation", "ms"), ("training", "ms"), ("memory", "MiB, peak of a training step")):
        present = [column for column in columns if any(column in row[kind] for row in rows)]
        print(f"\n| {kind}, {unit} | {' | '.join(present)} |\n|---|{'---|' * len(present)}")
        for row in rows:
            cells = [_cell(row[kind].get(column)) for column in present]
            print(f"| {row['label']} | {' | '.join(cells)} |")


def _cell(value: dict | Timing | float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}"
    return f"{value['median']:.3g} ({value['low']:.3g}-{value['high']:.3g})"


if __name__ == "__main__":
    main()
