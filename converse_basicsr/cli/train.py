"""``basicsr train`` and ``basicsr test``: a network of an option file, trained or tested."""

import argparse
import os

from ..errors import UserError
from ..extras import require_basicsr
from .allocator import keep_large_buffers
from .option_file import EPILOG, add_option_file, given_file
from .output import lasting_output


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
        add_option_file(parser)
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
    file = given_file(args)
    require_basicsr()
    from ..options.run_file import read_run
    from ..options.schema import dist_params

    given, mistake = {}, None
    try:
        given, _ = read_run(file, args.force_yml, args.is_train)
    except UserError as error:
        if args.launcher == "none":
            raise
        mistake = error  # raised when the processes are connected: then one of them reports it
    from .. import archs, data, metrics, models  # noqa: F401 (registers)
    from ..preparation.demo import build_demo_if_asked_for
    from ..training.iteration import explaining
    from ..training.processes import started
    from ..training.run import Start, train
    from ..training.testing import test

    connection = dist_params(given)
    with (
        started(args.launcher, connection.backend, connection.port) as processes,
        explaining(file, lambda: "the start"),
    ):
        if mistake:
            raise mistake
        given = processes.share(given)
        if processes.is_first:
            build_demo_if_asked_for(given)
        with_report = not args.no_report
        if not args.is_train:
            test(given, Start(args.root, debug=args.debug, with_report=with_report, file=file), processes)
            return 0
        start = Start(args.root, args.auto_resume, args.force, args.debug, with_report, file)
        stop = train(given, start, processes)
    return 128 + stop if stop else 0
