"""``basicsr check``: an option file checked and tried for a few iterations, and what the run will cost."""

import argparse

from .allocator import keep_large_buffers
from .train import EPILOG

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
    parser.add_argument("-opt", "--opt", required=True, metavar="FILE", help="option file (YAML)")
    parser.add_argument("--force_yml", nargs="+", default=[], metavar="KEY:SUB=VALUE",
                        help="values that replace those of the file")  # fmt: skip
    parser.add_argument(
        "--test", action="store_true", help="check as basicsr test does (default if the file has no section train)"
    )
    parser.add_argument(
        "--root", default=".", metavar="DIR", help="folder in which the run will write experiments or results"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    keep_large_buffers()
    from .. import archs, data, metrics, models  # noqa: F401 (registers)
    from ..errors import UserError, plain
    from ..options.reading import read_options
    from ..options.schema import check_schema
    from ..preparation.demo import DEMO_ROOT, lacks_demo
    from ..training.trial import try_test, try_training

    given = read_options(args.opt, args.force_yml)
    if "models" in given and "network_g" not in given:
        raise UserError(f"{plain(args.opt)} is an option file for basicsr benchmark: basicsr benchmark -opt FILE")
    is_train = not args.test and _is_for_training(given)
    check_schema(given, is_train)
    if lacks_demo(given):
        raise UserError(f"{DEMO_ROOT} does not exist; basicsr data demo makes it, as basicsr train does at its start")
    for name, value in (try_training if is_train else try_test)(given, args.root):
        print(f"{name:<15} {value}", flush=True)
    return 0


def _is_for_training(given: dict) -> bool:
    datasets = given.get("datasets")
    return given.get("train") is not None or (isinstance(datasets, dict) and datasets.get("train") is not None)
