"""``basicsr train`` and ``basicsr test``: BasicSR's pipelines with this plugin registered."""

import argparse
import os
import sys

from .allocator import keep_large_buffers

INTERRUPTED = "; saved states are under experiments/, the same command with --auto_resume continues from the latest"
PATHS = "Paths in an option file are relative to the current directory, not to the option file."


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    for name, is_train, summary in (
        ("train", True, "train a network from an option file"),
        ("test", False, "test a trained network from an option file"),
    ):
        parser = subparsers.add_parser(name, help=summary, description=f"{summary.capitalize()}.", epilog=PATHS)
        parser.add_argument("-opt", "--opt", required=True, metavar="FILE", help="option file (YAML)")
        parser.add_argument("--launcher", choices=("none", "pytorch", "slurm"), default="none", help="job launcher")
        if is_train:
            parser.add_argument("--auto_resume", action="store_true", help="continue from the latest saved state")
        help_debug = "log every iteration, validate and save every 8" if is_train else "put debug_ before the name"
        parser.add_argument("--debug", action="store_true", help=help_debug)
        parser.add_argument("--root", default=".", metavar="DIR", help="folder for experiments, results and tb_logger")
        parser.add_argument("--no_report", action="store_true", help="no table and figure at the end")
        parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
        parser.add_argument(
            "--force_yml", nargs="+", default=[], metavar="KEY:SUB=VALUE", help="values that replace those of the file"
        )
        parser.set_defaults(command=run, is_train=is_train, on_interrupt=INTERRUPTED if is_train else "")


def run(args: argparse.Namespace) -> int:
    keep_large_buffers()
    from ..compat import load_basicsr

    load_basicsr()
    from basicsr.test import test_pipeline
    from basicsr.train import train_pipeline

    from .. import archs, data, metrics, models  # noqa: F401 (registers)
    from ..checks import check_run
    from ..evaluation.report import report
    from ..options.reading import read_options
    from ..preparation.demo import build_demo_if_asked_for

    opt = read_options(args.opt, args.force_yml)
    build_demo_if_asked_for(opt)
    check_run(opt, args.is_train)

    sys.argv = [f"basicsr {'train' if args.is_train else 'test'}", *_basicsr_arguments(args)]
    root = os.path.abspath(args.root)
    (train_pipeline if args.is_train else test_pipeline)(root)
    if not args.no_report:
        report(opt, root, args.is_train, args.debug)
    return 0


def _basicsr_arguments(args: argparse.Namespace) -> list[str]:
    """The command line for BasicSR's own parser."""
    arguments = ["-opt", args.opt, "--launcher", args.launcher, "--local_rank", str(args.local_rank)]
    arguments += [f"--{flag}" for flag in ("auto_resume", "debug") if getattr(args, flag, False)]
    return arguments + (["--force_yml", *args.force_yml] if args.force_yml else [])
