"""The arguments of ``basicsr restore``, and which of them go together."""

import argparse

from ..blur_kernels import FORMS
from ..errors import UserError

KERNEL = f"{FORMS}, in pixels and degrees"
NO_METHOD = (
    "restore needs weights, -m NAME or FILE, as in `basicsr restore photo.jpg -m converse_srresnet` (basicsr weights "
    "list shows the names); or, for a known blur, --method converse2d --kernel gaussian:1.6"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="files, folders or patterns such as 'photos/*.jpg'")
    parser.add_argument("-o", "--out", default="restored", metavar="OUT",
                        help="output folder; for one picture also a file (default: %(default)s)")  # fmt: skip
    parser.add_argument("-r", "--recursive", action="store_true", help="folders with their subfolders")
    _add_method(parser)
    _add_resources(parser)
    _add_files(parser)


def _add_method(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("method")
    method = group.add_mutually_exclusive_group()
    method.add_argument("-m", "--model", metavar="WEIGHTS", help="a file (.pth, .safetensors, .onnx) or a published "
                        "name, see basicsr weights list")  # fmt: skip
    method.add_argument("--method", choices=("converse2d",), help="without weights: the operator as a deconvolution")
    group.add_argument("--opt", metavar="FILE", help="option file with network_g, for weights that do not say")
    group.add_argument("--kernel", metavar="K", help=f"the blur kernel: {KERNEL}")
    group.add_argument("--scale", type=int, metavar="N", help="factor of enlargement, where a blur kernel is given")
    group.add_argument("--lam", type=float, metavar="X", help="weight of converse2d's prior (default: 0.02); larger "
                       "amplifies noise less and sharpens less")  # fmt: skip
    group.add_argument("--sigma", type=float, metavar="X", help="instead of --lam: the noise level, on the 0-255 scale")
    group.add_argument("--borders", choices=("replicate", "circular"), help="how a blurred picture goes "
                       "on beyond its borders; circular: it was blurred circularly (default: replicate)")  # fmt: skip
    group.add_argument("--steps", type=int, metavar="N", help="of converse2d: apply it N times (default: 4)")
    group.add_argument("--channels", choices=("y", "each"), default="y", help="of a colour picture, for a network of "
                       "one channel: the luma, or each channel (default: %(default)s)")  # fmt: skip
    group.add_argument("--x8", action="store_true", help="average over the 8 flips and transposes")
    group.add_argument("--consistency", metavar="K", help="make the result reduce to its input: bicubic, or a blur "
                       "kernel as for --kernel")  # fmt: skip
    group.add_argument("--consistency_lam", type=float, metavar="X", help="weight of the network's result in that "
                       "(default: 0.01)")  # fmt: skip


def _add_resources(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("memory and speed")
    group.add_argument("--memory", metavar="SIZE", help="most memory, such as 4GB (default: what is free, less 15%%)")
    group.add_argument("--tile", type=int, metavar="N", help="tiles of that side, in pixels of the input (default: as "
                       "--memory needs)")  # fmt: skip
    group.add_argument("--overlap", type=int, default=16, metavar="N", help="of tiles (default: %(default)s)")
    group.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1 or mps (default: cuda if there is one)")
    group.add_argument("--amp", action="store_true", help="compute in 16 bits where that is safe; for GPUs")
    group.add_argument("--batch", type=int, default=1, metavar="N", help="restore up to N pictures of equal size "
                       "together (default: %(default)s)")  # fmt: skip
    group.add_argument("--shard", metavar="K/N", help="only the K-th of N equal parts of the pictures")


def _add_files(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--format", metavar="F", help="png, jpeg, webp, tiff or bmp (default: as the input)")
    group.add_argument("--quality", type=int, metavar="Q", help="of JPEG and WebP, 1 to 100 (default: 95)")
    group.add_argument("--overwrite", action="store_true", help="restore again what is in OUT already")
    group.add_argument("--compare", action="store_true", help="also write NAME_compare.png: input, result and crops")
    group.add_argument("--gt", metavar="DIR", help="folder of ground truth with the same names; shows PSNR and SSIM")
    group.add_argument("--metric", choices=("y", "rgb"), help="of --gt: the luma rounded to 8 bits, or all channels "
                       "(default: y at scales above 1)")  # fmt: skip


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse numbers out of range, and options that would have no effect."""
    if not (args.model or args.method):
        raise UserError(NO_METHOD)
    if args.batch < 1:
        raise UserError(f"--batch: must be 1 or more, got {args.batch}")
    if args.quality is not None and not 1 <= args.quality <= 100:
        raise UserError(f"--quality: must be from 1 to 100, got {args.quality}")
    if args.metric and not args.gt:
        raise UserError("--metric: has no effect without --gt DIR")
    if args.method:
        if not args.kernel:
            raise UserError(f"--method converse2d needs --kernel: {KERNEL}")
        useless = {"--opt": args.opt, "--x8": args.x8, "--amp": args.amp, "--consistency": args.consistency}
        why = "with --method converse2d"
    else:
        useless = {"--lam": args.lam, "--sigma": args.sigma, "--steps": args.steps}
        why = "with --model: only --method converse2d takes it"
    for option, value in useless.items():
        if value not in (None, False):
            raise UserError(f"{option}: has no effect {why}")
    if args.consistency_lam is not None and args.consistency is None:
        raise UserError("--consistency_lam: has no effect without --consistency")
