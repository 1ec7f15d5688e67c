"""Checks before a run starts: wrong input gives one line at once instead of a traceback an hour later."""

from .option_file import read_options
from .run_options import check_run

__all__ = ["check_run", "read_options"]
