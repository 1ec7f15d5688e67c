"""``basicsr benchmark``: several networks trained with one recipe, compared by quality and cost."""

import argparse
import signal
from pathlib import Path

from ..errors import UserError
from ..extras import require_basicsr
from ..files.output_place import refuse_below_file
from .allocator import keep_large_buffers
from .option_file import add_option_file

SMOKE = "benchmark/smoke"  # of the shipped option files
INTERRUPTED = "; finished runs are saved, the same command continues from the last saved state"


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "benchmark",
        help="compare the quality and cost of several networks, trained with one recipe or with given weights",
        description="Train several networks with one recipe, or take given weights, and compare quality and cost. "
        "The same command continues after an interruption.",
    )
    add_option_file(parser)
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="run the shipped smoke.yml: three small networks on the demo photographs, minutes on a CPU",
    )
    parser.add_argument(
        "--out", default="results/benchmark", metavar="DIR", help="folder of the results (default: %(default)s)"
    )
    parser.add_argument(
        "--force", action="store_true", help="start again; earlier results of the same name are renamed"
    )
    parser.set_defaults(command=run, on_interrupt=INTERRUPTED)


def run(args: argparse.Namespace) -> int:
    if bool(args.opt) == args.smoke:
        raise UserError("give either an option file, -opt FILE, or --smoke (basicsr options list shows shipped files)")
    refuse_below_file("--out", Path(args.out, "results.json"))
    keep_large_buffers()
    require_basicsr()
    from ..benchmark.spec import read_benchmark
    from ..options.shipped import path_of

    benchmark = read_benchmark(args.opt or str(path_of(SMOKE)), args.force_yml)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as after Ctrl-C: the training too, results saved
    from .. import archs, data, metrics, models  # noqa: F401 (registers)
    from ..benchmark.runner import run_benchmark

    results, files = run_benchmark(benchmark, Path(args.out), _command(args), args.force)
    for file in (results.path, *files):
        print(f"wrote {file}")
    stopped = [run for run in results.runs() if run["status"] == "stopped"]
    if stopped:
        print(f"{len(stopped)} runs stopped early; the same command tries them again")
    return 1 if stopped else 0


def _command(args: argparse.Namespace) -> str:
    forced = f" --force_yml {' '.join(args.force_yml)}" if args.force_yml else ""
    return f"basicsr benchmark {f'-opt {args.opt}' if args.opt else '--smoke'}{forced}"
