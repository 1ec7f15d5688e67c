"""``basicsr restore``: pictures, restored with weights or with the operator alone."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..blur_kernels import FORMS
from ..errors import UserError, plain

if TYPE_CHECKING:
    from ..images.formats import Format
    from ..restoration.files import Run
    from ..restoration.jobs import Found, Job
    from ..restoration.restorer import Restorer

DEFAULT_OUT = "restored"
INTERRUPTED = "; finished pictures are saved, the same command continues with the others"
KERNEL = f"{FORMS}, in pixels and degrees"


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "restore",
        help="restore pictures",
        description="Restore pictures with a network, or deblur them with the operator alone (--method converse2d).",
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="files, folders or patterns such as 'photos/*.jpg'")
    parser.add_argument("-o", "--out", default=DEFAULT_OUT, metavar="OUT",
                        help="output folder; for one picture also a file (default: %(default)s)")  # fmt: skip
    parser.add_argument("-r", "--recursive", action="store_true", help="folders with their subfolders")
    _add_method(parser)
    _add_resources(parser)
    _add_files(parser)
    parser.set_defaults(command=run, on_interrupt=INTERRUPTED)


def _add_method(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("method")
    method = group.add_mutually_exclusive_group(required=True)
    method.add_argument("-m", "--model", metavar="WEIGHTS", help="a file (.pth, .safetensors, .onnx) or a published "
                        "name, see basicsr weights list")  # fmt: skip
    method.add_argument("--method", choices=("converse2d",), help="without weights: the operator as a deconvolution")
    group.add_argument("--opt", metavar="FILE", help="option file with network_g, for weights that do not say")
    group.add_argument("--kernel", metavar="K", help=f"the blur kernel: {KERNEL}")
    group.add_argument("--scale", type=int, metavar="N", help="factor of enlargement, where a blur kernel is given")
    group.add_argument("--lam", type=float, metavar="X", help="weight of converse2d's prior (default: 0.02); larger "
                       "amplifies noise less and sharpens less")  # fmt: skip
    group.add_argument("--sigma", type=float, metavar="X", help="instead of --lam: the noise level, on the 0-255 scale")
    group.add_argument("--borders", choices=("replicate", "circular"), help="of converse2d (default: replicate)")
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
    group.add_argument("--amp", action="store_true", help="compute in 16 bits where that is safe")
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


def run(args: argparse.Namespace) -> int:
    from ..images.formats import choose_format
    from ..restoration.jobs import find_inputs, ground_truth, plan, take_shard

    _check(args)
    out, format = Path(args.out), choose_format(args.format) if args.format else None
    found = find_inputs(args.inputs, args.recursive, out)
    is_file = _is_file(args, found, format)
    jobs = plan(found, out, format, is_file, args.compare)
    _check_quality(args.quality, jobs)
    jobs = take_shard(jobs, args.shard)
    gt = ground_truth(jobs, Path(args.gt)) if args.gt else {}
    written = [] if args.overwrite else [job for job in jobs if job.target.exists()]
    todo = [job for job in jobs if job not in written]
    if not todo and not gt:
        print(f"nothing to do: {_skipped(len(written), out)}")
        return 0
    return _run(args, todo, written, gt)


def _run(args: argparse.Namespace, todo: list["Job"], written: list["Job"], gt: dict["Job", Path]) -> int:
    from .allocator import keep_large_buffers

    keep_large_buffers()
    from ..restoration.files import Outputs, Run
    from .signals import signals_interrupt

    with signals_interrupt():
        notes: list[str] = []
        restorer = _restorer(args, notes)
        metric = args.metric or ("y" if restorer.scale > 1 else "rgb")
        run = Run(restorer, notes, Outputs(args.quality or 95, args.compare, gt, metric, args.batch))
        for note in notes:
            print(note)
        run.restore(todo)
        run.measure_written([job for job in written if job in gt])
    _print_summary(run, todo, written, Path(args.out), metric)
    return 1 if run.failed else 0


def _restorer(args: argparse.Namespace, notes: list[str]) -> "Restorer":
    """The network and its settings; one line says which network it is."""
    from ..blur_kernels.choosing import choose_kernel
    from ..restoration.devices import default_device
    from ..restoration.restorer import Restorer

    kernel = choose_kernel(args.kernel) if args.kernel else None
    settings = {"tile": args.tile, "overlap": args.overlap, "memory": args.memory, "x8": args.x8, "amp": args.amp}
    settings |= {"consistency": args.consistency, "consistency_lam": args.consistency_lam}
    settings |= {"device": args.device or default_device(), "channels": args.channels, "note": notes.append}
    if args.method:
        from ..restoration.deconvolution import build_deconvolution

        network = build_deconvolution(kernel, args.lam, args.sigma, args.scale, args.borders, args.steps)
        taps = "x".join(map(str, kernel.shape))
        words = f"blur kernel {taps}, lam {network.lam:g}, {network.borders} borders, steps {network.steps}"
        print(f"converse2d, {words}", flush=True)
        return Restorer(network, **settings)
    from ..weights.loading import load_described

    network, words = load_described(args.model, args.opt)
    print(words, flush=True)
    return Restorer(network, kernel=kernel, scale=args.scale, **settings)


def _check(args: argparse.Namespace) -> None:
    """Refuse numbers out of range, and options that would have no effect."""
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
        useless = {"--lam": args.lam, "--borders": args.borders, "--sigma": args.sigma, "--steps": args.steps}
        why = "with --model: only --method converse2d takes it"
    for option, value in useless.items():
        if value not in (None, False):
            raise UserError(f"{option}: has no effect {why}")
    if args.consistency_lam is not None and args.consistency is None:
        raise UserError("--consistency_lam: has no effect without --consistency")


def _is_file(args: argparse.Namespace, found: list["Found"], format: "Format | None") -> bool:
    """Whether OUT is a file; refuses a file where a folder is needed."""
    from ..images.formats import format_of

    out = Path(args.out)
    if out.is_dir():
        return False
    own = format_of(out)
    if own is None:
        if out.exists():
            raise UserError(f"-o: {plain(out)} is not a folder")
        return False
    if len(found) > 1 or Path(args.inputs[0]).is_dir():
        raise UserError(f"-o: {plain(out)} is the name of a picture; give a folder for {len(found)} pictures")
    if format not in (None, own):
        raise UserError(f"-o: {plain(out)} is not the name of a {format.name} file, which --format asks for")
    return True


def _check_quality(quality: int | None, jobs: list["Job"]) -> None:
    if quality is not None and not any(job.format.quality for job in jobs):
        raise UserError("--quality: only JPEG and WebP have one, and no output file is of these formats")


def _skipped(count: int, out: Path) -> str:
    return f"{count} skipped, written earlier to {plain(out)} (--overwrite restores again)"


def _print_summary(run: "Run", todo: list["Job"], written: list["Job"], out: Path, metric: str) -> None:
    from ..restoration.measuring import mean

    if run.scores:
        print(f"mean of {len(run.scores)}: {mean(run.scores)} ({metric})")
    parts = [f"{len(todo) - run.failed} restored"]
    if run.failed:
        parts.append(f"{run.failed} failed")
    if written:
        parts.append(_skipped(len(written), out))
    if len(todo) != 1 or len(parts) > 1:
        print(", ".join(parts))
