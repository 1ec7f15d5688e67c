"""``basicsr data``: making data sets."""

import argparse
import os


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("data", help="make data sets", description="Make data sets.")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    demo = kinds.add_parser(
        "demo",
        help="the embedded demonstration data",
        description="Write x4 super-resolution pairs made from the photographs that come with scikit-image.",
    )
    demo.add_argument("--root", default="datasets/demo", metavar="FOLDER", help="where to (default: %(default)s)")
    demo.add_argument("--force", action="store_true", help="make it anew if it is there already")
    demo.set_defaults(command=run_demo)
    _add_prepare(kinds)


def _add_prepare(kinds: argparse._SubParsersAction) -> None:
    prepare = kinds.add_parser(
        "prepare",
        help="an LMDB or PNG files from folders of your own images",
        description="Write what BasicSR's data sets read from folders of images: all of it or nothing.",
        epilog="basicsr data prepare DIV2K/train_HR --out DIV2K/train_HR_sub.lmdb --size 480 --step 240 --lr-scale 4",
    )
    prepare.add_argument("folders", nargs="+", metavar="FOLDER", help="images, with all folders below")
    prepare.add_argument("--out", required=True, metavar="OUT", help="an LMDB if it ends in .lmdb, else a folder")
    prepare.add_argument("--size", type=int, metavar="S", help="side of the sub-images; without it, whole images")
    prepare.add_argument("--step", type=int, metavar="T", help="from one sub-image to the next (default: S)")
    prepare.add_argument("--lr-scale", type=int, metavar="R", help="make the bicubic reduction by R beside it")
    prepare.add_argument("--lr-out", metavar="OUT", help="where to (default: OUT with _LRbicxR added to its name)")
    prepare.add_argument("--gray", action="store_true", help="one channel instead of three")
    prepare.add_argument("--skip-small", action="store_true", help="leave out images that are too small, and name them")
    prepare.add_argument(
        "--workers", type=int, default=os.cpu_count(), metavar="N", help="processes (default: %(default)s)"
    )
    prepare.add_argument("--force", action="store_true", help="replace what an earlier call has written")
    prepare.set_defaults(command=run_prepare, on_interrupt="; nothing was written")


def run_demo(args: argparse.Namespace) -> int:
    from ..preparation.demo import build_demo

    if build_demo(args.root, args.force):
        print(f"wrote {args.root}")
    else:
        print(f"{args.root} is there already; --force replaces it")
    return 0


def run_prepare(args: argparse.Namespace) -> int:
    from ..preparation.prepare import prepare
    from ..preparation.recipe import Recipe

    recipe = Recipe(args.size, args.step, args.lr_scale, args.gray)
    prepared = prepare(args.folders, args.out, recipe, args.lr_out, args.skip_small, args.workers, args.force)
    for path, size in prepared.sizes.items():
        print(f"wrote {path}: {prepared.count} images, {size / 2**20:.1f} MiB")
    if prepared.skipped:
        print(f"left out {len(prepared.skipped)} smaller images:")
        print(*(f"  {path}" for path in prepared.skipped), sep="\n")
    print("in an option file:")
    print(*(f"    {line}" for line in prepared.targets.option_lines()), sep="\n")
    return 0
