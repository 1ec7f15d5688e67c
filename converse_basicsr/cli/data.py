"""``basicsr data``: making data sets."""

import argparse


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("data", help="make data sets", description="Make data sets.")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    demo = kinds.add_parser(
        "demo",
        help="the embedded demonstration data",
        description="Write x4 super-resolution pairs made from the photographs that come with scikit-image.",
    )
    demo.add_argument("--root", default="datasets/demo", metavar="FOLDER", help="where to (default: %(default)s)")
    demo.add_argument("--force", action="store_true", help="replace the folder if it exists")
    demo.set_defaults(command=run_demo)


def run_demo(args: argparse.Namespace) -> int:
    from ..data.demo import build_demo

    if build_demo(args.root, args.force):
        print(f"wrote {args.root}")
    else:
        print(f"{args.root} is there already; --force replaces it")
    return 0
