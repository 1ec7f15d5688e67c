"""``basicsr data``: prepare data sets."""

import argparse
import os


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("data", help="prepare data sets", description="Prepare data sets.")
    kinds = parser.groups("KIND")
    demo = kinds.add_parser(
        "demo",
        help="make the demo data from the photographs in scikit-image",
        description="Write x4 super-resolution pairs made from the photographs in scikit-image.",
    )
    demo.add_argument("--root", default="datasets/demo", metavar="FOLDER", help="output folder (default: %(default)s)")
    demo.add_argument("--force", action="store_true", help="replace an existing demo folder")
    demo.set_defaults(command=run_demo)
    _add_prepare(kinds)


def _add_prepare(kinds: argparse._SubParsersAction) -> None:
    prepare = kinds.add_parser(
        "prepare",
        help="make an LMDB or PNG files from folders of images",
        description="Write an LMDB or PNG files for BasicSR from folders of images. After an error nothing is written.",
        epilog="Example: basicsr data prepare DIV2K/HR --out DIV2K/HR_sub.lmdb --size 480 --step 240 --lr-scale 4",
    )
    prepare.add_argument("folders", nargs="+", metavar="FOLDER", help="folder of images, searched recursively")
    prepare.add_argument(
        "--out", required=True, metavar="OUT", help="an LMDB if it ends in .lmdb, else a folder of PNG files"
    )
    prepare.add_argument("--size", type=int, metavar="S", help="side of the sub-images (default: whole images)")
    prepare.add_argument("--step", type=int, metavar="T", help="distance between sub-images (default: S)")
    prepare.add_argument("--lr-scale", type=int, metavar="R", help="also write LR images, downsampled by R (bicubic)")
    prepare.add_argument("--lr-out", metavar="OUT", help="output of the LR images (default: OUT with _LRbicxR added)")
    prepare.add_argument("--gray", action="store_true", help="write one channel instead of three")
    prepare.add_argument("--skip-small", action="store_true", help="skip and list images that are too small")
    prepare.add_argument(
        "--workers", type=int, default=os.cpu_count(), metavar="N", help="number of processes (default: %(default)s)"
    )
    prepare.add_argument("--force", action="store_true", help="replace the output of an earlier call")
    prepare.set_defaults(command=run_prepare, on_interrupt="; nothing was written")


def run_demo(args: argparse.Namespace) -> int:
    from ..preparation.demo import build_demo

    if build_demo(args.root, args.force):
        print(f"wrote {args.root}")
    else:
        print(f"{args.root} already exists; --force replaces it")
    return 0


def run_prepare(args: argparse.Namespace) -> int:
    from ..preparation.prepare import prepare
    from ..preparation.recipe import Recipe
    from .signals import signals_interrupt

    recipe = Recipe(args.size, args.step, args.lr_scale, args.gray)
    with signals_interrupt():
        prepared = prepare(args.folders, args.out, recipe, args.lr_out, args.skip_small, args.workers, args.force)
    for path, size in prepared.sizes.items():
        print(f"wrote {path}: {prepared.count} images, {size / 2**20:.1f} MiB")
    if prepared.skipped:
        print(f"skipped {len(prepared.skipped)} images that are too small:")
        print(*(f"  {path}" for path in prepared.skipped), sep="\n")
    print("for the option file:")
    print(*(f"    {line}" for line in prepared.targets.option_lines()), sep="\n")
    return 0
