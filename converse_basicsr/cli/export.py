"""``basicsr export``: a network as an ONNX file."""

import argparse
import importlib.util
from pathlib import Path

TOLERANCE = {False: 1e-4, True: 2e-2}  # between onnxruntime and torch, by --half


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "export",
        help="write a network as an ONNX file",
        description="Write a network as an ONNX file, and compare it with torch where onnxruntime is installed.",
    )
    parser.add_argument("-m", "--model", required=True, metavar="WEIGHTS", help="a file (.pth, .safetensors) or a "
                        "published name, see basicsr weights list")  # fmt: skip
    parser.add_argument("-o", "--out", required=True, metavar="NET.onnx", help="the file to write")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--size",
        metavar="HxW",
        help="fixed size of all images, such as 256x256; the file computes less than one for any size",
    )
    size.add_argument("--dynamic", action="store_true", help="images of any size (default)")
    parser.add_argument(
        "--scale", type=int, metavar="N", help="scale factor, for a network that takes it as input (Converse-USRNet)"
    )
    parser.add_argument(
        "--opset", type=int, default=18, metavar="N", help="version of the ONNX operators (default: %(default)s)"
    )
    parser.add_argument("--half", action="store_true", help="weights, input and output in float16")
    parser.add_argument("--bake", action="store_true", help="store the filters of a fixed size, which makes the file "
                        "larger, instead of computing them when it is loaded")  # fmt: skip
    parser.add_argument(
        "--opt", metavar="FILE", help="option file whose network_g names the network, for weights that do not tell it"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace NET.onnx")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    from ..onnx_files.description import parse_size
    from ..onnx_files.writing import export_onnx
    from ..weights.loading import build
    from ..weights.locating import locate
    from ..weights.reading import read_weights

    size = parse_size(args.size) if args.size else None
    built = build(read_weights(locate(args.model)), args.opt)
    print(built.words, flush=True)
    switches = args.opset, args.half, args.bake, built.options, args.overwrite
    network = built.network.eval()
    described = export_onnx(network, args.out, size, args.scale, *switches)
    file = Path(args.out)
    print(f"wrote {file}: {file.stat().st_size / 2**20:.1f} MiB, size {described.size}, opset {args.opset}", flush=True)
    print(_compare(network, file, described, args.half))
    return 0


def _compare(network, file: Path, described, half: bool) -> str:
    """In words, how far onnxruntime is from torch in float32 on a random image.

    Raises:
        UserError: further than TOLERANCE.
    """
    import torch

    from ..errors import UserError
    from ..extras import install
    from ..onnx_files.running import load_onnx
    from ..onnx_files.writing import example_inputs

    if importlib.util.find_spec("onnxruntime") is None:
        return f"not compared with torch: this needs onnxruntime: {install('onnx')}"
    runtime, inputs = load_onnx(file), example_inputs(described)
    with torch.no_grad():
        expected = network(*inputs, *([described.scale] if described.psf_size else []))
        difference = (runtime(*inputs) - expected).abs().max().item()
    if not difference <= TOLERANCE[half]:
        raise UserError(
            f"{file}: onnxruntime differs from torch by {difference:.1e}; at most {TOLERANCE[half]:g} is right"
        )
    return f"onnxruntime differs from torch by at most {difference:.1e} on a random image"
