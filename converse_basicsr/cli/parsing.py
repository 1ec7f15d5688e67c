"""The parser of the command line: one line for a mistake, and the nearest name for a misspelled one."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import did_you_mean, plain


class Parser(argparse.ArgumentParser):
    """A parser, also of a subcommand, that answers a mistake in one line, with exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def refuse(self, arguments: Sequence[str]) -> NoReturn:
        """Answer arguments that nothing takes."""
        first = arguments[0].partition("=")[0]
        options = [name for action in self._actions for name in action.option_strings]
        if first.startswith("-"):
            self.error(f"no option {plain(first)}{did_you_mean(first, options)}")
        is_option_file = "-opt" in options and first.endswith((".yml", ".yaml"))
        self.error(f"unexpected argument {plain(first)}{f'; did you mean -opt {first}?' if is_option_file else ''}")

    def groups(self, metavar: str) -> argparse._SubParsersAction:
        """Subcommands; without one of them the command shows its help."""
        self.set_defaults(command=self._show_help)
        return self.add_subparsers(metavar=metavar)

    def leaves(self) -> list["Parser"]:
        """The parsers of the subcommands that have no subcommands of their own, or this parser if it has none."""
        nested = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return [leaf for action in nested for parser in action.choices.values() for leaf in parser.leaves()] or [self]

    def _show_help(self, args: argparse.Namespace) -> int:
        self.print_help(sys.stderr)
        return 2

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is none of the choices."""
        if action.choices is None or value in action.choices:
            return
        near, known = did_you_mean(value, action.choices), ", ".join(action.choices)
        if action.option_strings:
            message = f"{action.option_strings[-1]}: must be one of {known}; got {plain(value)}"
        else:
            message = f"no {action.metavar.lower()} {plain(value)}{near or f' ({known})'}"
        raise argparse.ArgumentError(None, message)
