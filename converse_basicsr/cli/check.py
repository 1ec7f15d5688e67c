"""``basicsr check``: an option file checked and tried for a few iterations, and what the run will cost."""

import argparse

from ..errors import UserError
from ..extras import require_basicsr
from .allocator import keep_large_buffers
from .option_file import EPILOG, add_option_file, given_file

DESCRIPTION = (
    "Check an option file for train or test: every option and every image header. Then build the networks, train a few "
    "iterations, restore the first image of each validation set, and estimate time, memory and disk space of the run. "
    "The check runs in one process, makes no experiment folder and saves nothing."
)


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "check",
        help="check an option file, try it for a few iterations, and estimate what the run will cost",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    add_option_file(parser)
    parser.add_argument(
        "--test", action="store_true", help="check as basicsr test does (default if the file has no section train)"
    )
    parser.add_argument(
        "--root", default=".", metavar="DIR", help="folder in which the run will write experiments or results"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    keep_large_buffers()
    file = given_file(args)
    require_basicsr()
    from ..options.run_file import read_run

    given, is_train = read_run(file, args.force_yml, False if args.test else None)
    from .. import archs, data, metrics, models  # noqa: F401 (registers)
    from ..preparation.demo import DEMO_ROOT, lacks_demo
    from ..training.trial import try_test, try_training

    if lacks_demo(given):
        raise UserError(f"{DEMO_ROOT} does not exist; basicsr data demo makes it, as basicsr train does at its start")
    for name, value in (try_training if is_train else try_test)(given, args.root, file):
        print(f"{name:<15} {value}", flush=True)
    return 0
