"""``basicsr train`` and ``basicsr test``: a network of an option file, trained or tested."""

import argparse
import os

from ..errors import UserError
from .allocator import keep_large_buffers
from .output import lasting_output

EPILOG = "Paths in an option file are relative to the current directory, not to the option file."


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    train = subparsers.add_parser(
        "train", help="train a network from an option file", description="Train a network.", epilog=EPILOG
    )
    start = train.add_mutually_exclusive_group()
    start.add_argument("--auto_resume", action="store_true", help="continue from the newest state if there is one")
    start.add_argument(
        "--force", action="store_true", help="rename an earlier experiment of this name, and start again"
    )
    test = subparsers.add_parser(
        "test", help="test a trained network from an option file", description="Test a trained network.", epilog=EPILOG
    )
    for parser, debug in (
        (train, "log every iteration, validate and save every 8 iterations"),
        (test, "add debug_ to the name of the test"),
    ):
        parser.add_argument("-opt", "--opt", required=True, metavar="FILE", help="option file (YAML)")
        parser.add_argument("--force_yml", nargs="+", default=[], metavar="KEY:SUB=VALUE",
                            help="values that replace those of the file")  # fmt: skip
        parser.add_argument("--launcher", choices=("none", "pytorch", "slurm"), default="none",
                            help="what starts the processes of a run: torchrun (pytorch) or srun (slurm)")  # fmt: skip
        parser.add_argument("--root", default=".", metavar="DIR", help="folder for experiments, results and tb_logger")
        parser.add_argument(
            "--no_report", action="store_true", help="make no table of metrics and no comparison figure at the end"
        )
        parser.add_argument("--debug", action="store_true", help=debug)
        parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
        parser.set_defaults(command=run, is_train=parser is train)


def run(args: argparse.Namespace) -> int:
    keep_large_buffers()
    if args.launcher != "none":  # before torch is imported: a lost connection is one line, not a C++ stack trace
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if not args.root:
        raise UserError("--root: must be a folder, got ''")
    with lasting_output():
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    from .. import archs, data, metrics, models  # noqa: F401 (registers)
    from ..options.reading import read_options
    from ..options.schema import check_schema, dist_params
    from ..preparation.demo import build_demo_if_asked_for
    from ..training.iteration import explaining
    from ..training.processes import started
    from ..training.run import Start, train
    from ..training.testing import test

    given, mistake = {}, None
    try:
        given = read_options(args.opt, args.force_yml)
        check_schema(given, args.is_train)
    except UserError as error:  # raised when the processes are connected: then one of them reports it
        given, mistake = {}, error
    connection = dist_params(given)
    with (
        started(args.launcher, connection.backend, connection.port) as processes,
        explaining(args.opt, lambda: "the start"),
    ):
        if mistake:
            raise mistake
        given = processes.share(given)
        if processes.is_first:
            build_demo_if_asked_for(given)
        if not args.is_train:
            test(given, Start(args.root, debug=args.debug, with_report=not args.no_report), processes)
            return 0
        stop = train(given, Start(args.root, args.auto_resume, args.force, args.debug, not args.no_report), processes)
    return 128 + stop if stop else 0
