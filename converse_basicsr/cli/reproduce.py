"""``basicsr reproduce``: the paper's tables, from its published weights."""

import argparse
import re
from pathlib import Path

from ..errors import UserError
from ..files.output_place import refuse_below_file
from ..reproduce.protocols import TASKS, choose
from .allocator import keep_large_buffers

INTERRUPTED = "; finished images are saved, the same command continues from there"


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "reproduce",
        help="measure the paper's numbers with its published weights",
        description="Run the paper's protocols with its published weights; show measured and published values.",
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"{', '.join(TASKS)} (default: all)")
    parser.add_argument("--sets", nargs="+", metavar="SET", help="names of test sets (default: all that are found)")
    parser.add_argument(
        "--weights",
        metavar="DIR",
        help="folder of the published weights (default: experiments/pretrained_models, then downloaded ones)",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="folder that contains set5, ..., blur_kernels (default: datasets)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images of each set")
    parser.add_argument("--tile", type=int, metavar="N", help="restore in tiles with sides of N pixels of the input")
    parser.add_argument(
        "--tile_overlap", type=int, metavar="N", help="overlap of tiles in pixels, as val: tile_overlap (default: 16)"
    )
    parser.add_argument("--x8", action="store_true", help="average over the 8 flips and transposes")
    parser.add_argument("--consistency", metavar="K", help="correct super-resolved images so that they reduce "
                        "to their input; K: bicubic, or a blur kernel as for basicsr restore --kernel")  # fmt: skip
    parser.add_argument("--consistency_lam", type=float, metavar="X", help="weight of the network's result in "
                        "--consistency (default: 0.01)")  # fmt: skip
    parser.add_argument(
        "--out", default="results/reproduce", metavar="DIR", help="folder of the results (default: %(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="measure again, and replace the results in --out")
    parser.set_defaults(command=run, on_interrupt=INTERRUPTED)


def run(args: argparse.Namespace) -> int:
    refuse_below_file("--out", Path(args.out, "results.json"))
    keep_large_buffers()
    from .. import archs, data, metrics, models  # noqa: F401 (registers)
    from ..reproduce.places import find_places
    from ..reproduce.reproduction import reproduce

    if args.limit is not None and args.limit < 1:
        raise UserError(f"--limit: must be 1 or more, got {args.limit}")
    protocols = choose(args.tasks, args.sets)
    val = _tiles(args)
    if args.x8:
        val["x8"] = True
    val |= _consistency(args)
    out = Path(args.out, *(["_".join(f"{name}{_in_file_name(value)}" for name, value in val.items())] if val else []))
    if args.force:
        (out / "results.json").unlink(missing_ok=True)
    print(reproduce(protocols, find_places(args.weights, args.data), out, args.limit, val))
    print(f"\nresults     {out}/results.md, results.json (saved; --force measures again)")
    print(f"pictures    {out}/*/")
    return 0


def _tiles(args: argparse.Namespace) -> dict:
    """The options of val for tiles."""
    from ..inference import TILE_OVERLAP

    if args.tile is None:
        if args.tile_overlap is not None:
            raise UserError("--tile_overlap: has no effect without --tile")
        return {}
    overlap = TILE_OVERLAP if args.tile_overlap is None else args.tile_overlap
    if args.tile < 1:
        raise UserError(f"--tile: must be 1 or more, got {args.tile}")
    if not 0 <= overlap < args.tile:
        raise UserError(f"--tile_overlap: must be less than --tile, {args.tile}, and 0 or more, got {overlap}")
    return {"tile": args.tile, "tile_overlap": overlap}


def _consistency(args: argparse.Namespace) -> dict:
    """The options of val for the consistency step; refuses what is valid at no scale."""
    from ..inference.consistency import build_consistency

    if args.consistency is None:
        if args.consistency_lam is not None:
            raise UserError("--consistency_lam: has no effect without --consistency")
        return {}
    try:
        build_consistency(args.consistency, 2, args.consistency_lam)
    except UserError as error:
        raise UserError(f"--{error}") from error
    lam = {} if args.consistency_lam is None else {"consistency_lam": args.consistency_lam}
    return {"consistency": args.consistency, **lam}


def _in_file_name(value: object) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", str(value)).strip("-")
