"""The command ``basicsr``: one file per subcommand."""

import argparse
import signal
import sys
import traceback
from collections.abc import Sequence

from .. import __version__
from ..compat import load_in_spawned_worker
from ..errors import UserError, in_one_line
from ..extras import install
from . import benchmark, check, data, doctor, export, options, page, reproduce, restore, train, weights
from .output import lasting_output
from .parsing import Parser
from .waiting import shorten_spinning

EXAMPLES = """\
first steps:
  basicsr restore photo.jpg -m converse_srresnet      enlarges a picture 4 times
  basicsr options copy converse_srresnet              copies an option file, ...
  basicsr train -opt options/converse_srresnet.yml    ... with which this trains a small network
  basicsr COMMAND --help                              what a command needs
"""

load_in_spawned_worker()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (sys.argv by default) and return its exit code, which is 2 for wrong input."""
    args, unknown = build_parser().parse_known_args(argv)
    if unknown:
        args.parser.refuse(unknown)
    shorten_spinning()
    try:
        return args.command(args)
    except UserError as error:
        if args.traceback:
            traceback.print_exc()
        print(f"basicsr: error: {in_one_line(error)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:  # of an extra, mostly; a file that is missing in this package is a bug
        if args.traceback or (error.name or "").startswith("converse_basicsr"):
            raise
        needed = f"{error.name} is not installed; {install('train')} installs what training and its data need"
        print(f"basicsr: error: {needed}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # as with | head
        with lasting_output():
            return 128 + signal.SIGPIPE
    except Exception as error:  # a bug, or a failure that nobody foresaw
        if args.traceback:
            raise
        text = str(error).strip().splitlines()
        message = f"unexpected {type(error).__name__}: {text[0] if text else ''} (--traceback shows where)"
        print(f"basicsr: error: {message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print(f"basicsr: interrupted{args.on_interrupt}", file=sys.stderr)
        return 128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)


def build_parser() -> Parser:
    parser = Parser(
        prog="basicsr",
        description="Restore pictures; train, test and compare the Converse networks and those of BasicSR.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"converse_basicsr {__version__}")
    subparsers = parser.groups("COMMAND")
    for module in (restore, page, train, check, benchmark, reproduce, data, options, weights, export, doctor):
        module.add_parsers(subparsers)
    for leaf in parser.leaves():
        leaf.add_argument("--traceback", action="store_true", help="show where an error came from")
        leaf.set_defaults(parser=leaf, on_interrupt=leaf.get_default("on_interrupt") or "")
    return parser
