"""The arguments that name an option file."""

import argparse

from ..errors import UserError

EPILOG = "Paths in an option file are relative to the current directory, not to the option file."


def add_option_file(parser: argparse.ArgumentParser) -> None:
    """Add -opt and --force_yml."""
    parser.add_argument(
        "-opt", "--opt", metavar="FILE", help="option file (YAML); basicsr options copy NAME copies a shipped one"
    )
    parser.add_argument(
        "--force_yml", nargs="+", default=[], metavar="KEY:SUB=VALUE", help="values that replace those of the file"
    )


def given_file(args: argparse.Namespace) -> str:
    """The option file of the command line.

    Raises:
        UserError: there is none.
    """
    if not args.opt:
        raise UserError("no option file is given: -opt FILE (basicsr options list shows the shipped ones)")
    return args.opt
