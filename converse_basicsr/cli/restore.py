"""``basicsr restore``: pictures, restored with weights or with the operator alone."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError, plain
from .restore_arguments import add_arguments, check_arguments

if TYPE_CHECKING:
    from ..images.formats import Format
    from ..restoration.files import Run
    from ..restoration.inputs import Found
    from ..restoration.jobs import Job
    from ..restoration.restorer import Restorer

USAGE = """basicsr restore INPUT ... -m WEIGHTS [-o OUT] [OPTIONS]
       basicsr restore INPUT ... --method converse2d --kernel K [-o OUT] [OPTIONS]"""
INTERRUPTED = "; finished pictures are saved, the same command continues with the others"


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "restore",
        help="restore pictures",
        usage=USAGE,
        description="Restore pictures with a network, or deblur them with the operator alone (--method converse2d).",
    )
    add_arguments(parser)
    parser.set_defaults(command=run, on_interrupt=INTERRUPTED)


def run(args: argparse.Namespace) -> int:
    from ..images.formats import choose_format
    from ..restoration.inputs import find_inputs
    from ..restoration.jobs import ground_truth, plan, take_shard

    check_arguments(args)
    out, format = Path(args.out), choose_format(args.format) if args.format else None
    found = find_inputs(args.inputs, args.recursive, out)
    is_file = _is_file(args, found, format)
    jobs = plan(found, out, format, is_file, args.compare)
    _check_quality(args.quality, jobs)
    jobs = take_shard(jobs, args.shard)
    if not jobs:
        print(f"nothing to do: shard {args.shard} has none of the {len(found)} pictures")
        return 0
    gt = ground_truth(jobs, Path(args.gt)) if args.gt else {}
    todo, written = [], []
    for job in jobs:
        (written if job.target.exists() and not args.overwrite else todo).append(job)
    if not todo and not gt:
        print(f"nothing to do: {_skipped(len(written), out)}")
        return 0
    return _run(args, todo, written, gt)


def _run(args: argparse.Namespace, todo: list["Job"], written: list["Job"], gt: dict["Job", Path]) -> int:
    from .allocator import keep_large_buffers

    keep_large_buffers()
    from ..images.formats import QUALITY
    from ..restoration.files import Outputs, Run
    from .signals import signals_interrupt

    with signals_interrupt():
        notes: list[str] = []
        restorer = _restorer(args, notes)
        metric = args.metric or ("y" if restorer.scale > 1 else "rgb")
        run = Run(restorer, notes, Outputs(args.quality or QUALITY, args.compare, gt, metric, args.batch))
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
        from ..inference.deconvolution import build_deconvolution

        network = build_deconvolution(kernel, args.lam, args.sigma, args.scale, args.borders, args.steps)
        taps = "x".join(map(str, kernel.shape))
        words = f"blur kernel {taps}, lam {network.lam:g}, {network.borders} borders, steps {network.steps}"
        print(f"converse2d, {words}", flush=True)
        return Restorer(network, **settings)
    from ..weights.loading import load_described

    network, words = load_described(args.model, args.opt)
    print(words, flush=True)
    return Restorer(network, kernel=kernel, borders=args.borders, scale=args.scale, **settings)


def _is_file(args: argparse.Namespace, found: list["Found"], format: "Format | None") -> bool:
    """Whether OUT is a file; refuses a file where a folder is needed, and one that cannot be written."""
    from ..files.output_place import refuse_below_file
    from ..images.formats import FORMATS, format_of, is_picture_name

    out = Path(args.out)
    if out.is_dir():
        return False
    refuse_below_file("-o", out)
    own = format_of(out)
    if own is None:
        if out.exists():
            raise UserError(f"-o: {plain(out)} is not a folder")
        if is_picture_name(out):
            raise UserError(f"-o: {plain(out)}: pictures are written as {', '.join(FORMATS)}")
        return False
    if len(found) > 1 or Path(args.inputs[0]).is_dir():
        raise UserError(f"-o: {plain(out)} is the name of a picture, but the input is not one file; give a folder")
    if format not in (None, own):
        raise UserError(f"-o: {plain(out)} is not the name of a {format.name} file, which --format asks for")
    return True


def _check_quality(quality: int | None, jobs: list["Job"]) -> None:
    if quality is not None and not any(job.format.quality for job in jobs):
        raise UserError("--quality: only JPEG and WebP have one, and no output file is of these formats")


def _skipped(count: int, out: Path) -> str:
    return f"{count} skipped, already in {plain(out)}, maybe with other settings (--overwrite restores again)"


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
