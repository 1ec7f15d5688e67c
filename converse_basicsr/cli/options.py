"""``basicsr options``: the option files that are shipped."""

import argparse
from pathlib import Path


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "options", help="list or copy the shipped option files", description="List or copy the shipped option files."
    )
    actions = parser.groups("ACTION")
    listing = actions.add_parser(
        "list", help="list names and subjects", description="List names and subjects of the files."
    )
    listing.set_defaults(command=run_list)
    copying = actions.add_parser(
        "copy",
        help="copy one or all files",
        description="Copy an option file, and the schema with which editors check it. Existing files are not replaced.",
    )
    copying.add_argument(
        "name", metavar="NAME", help="a name of basicsr options list, for example paper/converse_dncnn; or all"
    )
    copying.add_argument("--to", default="options", metavar="DIR", help="folder to copy to (default: %(default)s)")
    copying.add_argument("--force", action="store_true", help="replace existing files")
    copying.set_defaults(command=run_copy)


def run_list(args: argparse.Namespace) -> int:
    from ..options.shipped import names, summary_of

    width = max(map(len, names()))
    for name in names():
        print(f"{name:<{width}}  {summary_of(name)}")
    return 0


def run_copy(args: argparse.Namespace) -> int:
    from ..options.shipped import copy

    for file in copy(args.name, Path(args.to), args.force):
        print(f"wrote {file}")
    return 0
