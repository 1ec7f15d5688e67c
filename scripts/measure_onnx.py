"""Time and memory of a network in torch and in onnxruntime, and the size of its files, for docs/export.md.

python scripts/measure_onnx.py --weights converse_srresnet --sizes 64 128 --folder /tmp/onnx --export
python scripts/measure_onnx.py --weights converse_srresnet --sizes 64 128 --folder /tmp/onnx

The first writes the files, the second measures: each cell in a process of its own, since memory is its peak.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

from converse_basicsr import load_network
from converse_basicsr.onnx_files import export_onnx
from converse_basicsr.onnx_files.description import describe
from converse_basicsr.onnx_files.writing import example_inputs

KINDS = ("torch", "fixed", "baked", "dynamic", "openvino")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--kinds", nargs="+", default=["torch", "fixed", "dynamic"], choices=KINDS)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--export", action="store_true")
    parser.add_argument("--cell", nargs=2, metavar=("KIND", "SIZE"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.cell:
        print(json.dumps(measure(args, args.cell[0], int(args.cell[1]))))
        return
    for size in args.sizes:
        for kind in args.kinds:
            if args.export:
                write(args, kind, size)
            else:
                cell = [sys.executable, __file__, *sys.argv[1:], "--cell", kind, str(size)]
                done = subprocess.run(cell, capture_output=True, text=True)
                print(args.weights, size, kind, (done.stdout or done.stderr).strip().splitlines()[-1], flush=True)


def file_of(args: argparse.Namespace, kind: str, size: int) -> Path:
    name = "fixed" if kind == "openvino" else kind
    return args.folder / f"{args.weights}_{name}{'' if kind == 'dynamic' else size}.onnx"


def write(args: argparse.Namespace, kind: str, size: int) -> None:
    file = file_of(args, kind, size)
    if kind in ("torch", "openvino") or file.exists():
        return
    start = time.perf_counter()
    export_onnx(load_network(args.weights), file, None if kind == "dynamic" else (size, size), bake=kind == "baked")
    print(f"{file.name}: {file.stat().st_size / 2**20:.2f} MiB in {time.perf_counter() - start:.0f} s", flush=True)


def measure(args: argparse.Namespace, kind: str, size: int) -> dict:
    network = load_network(args.weights).eval()
    inputs = example_inputs(describe(network, (size, size), 1, None), batch=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    call = caller(args, kind, size, network)
    load = time.perf_counter() - start
    found, times = call(*inputs), []
    deadline = time.perf_counter() + args.seconds
    while len(times) < 3 or time.perf_counter() < deadline:
        start = time.perf_counter()
        call(*inputs)
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.no_grad():
        difference = (found - network(*inputs)).abs().max().item()
    return {
        "ms": round(1e3 * sorted(times)[len(times) // 2], 1),
        "MB_more_than_before": round((peak - before) / 1024),
        "load_s": round(load, 2),
        "difference": difference,
    }


def caller(args: argparse.Namespace, kind: str, size: int, network):
    if kind == "torch":
        return torch.no_grad()(network)
    if kind == "openvino":
        import openvino

        hints = {"INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": "f32"}  # else bfloat16 on some
        model = openvino.Core().compile_model(str(file_of(args, kind, size)), "CPU", hints)
        return lambda *inputs: torch.from_numpy(model([each.numpy() for each in inputs])[0])
    from converse_basicsr.onnx_files import load_onnx

    return load_onnx(file_of(args, kind, size), args.threads)


if __name__ == "__main__":
    main()
