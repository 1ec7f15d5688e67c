"""Checks before a run starts: wrong input gives one line at once instead of a traceback an hour later."""

from .run_options import check_run

__all__ = ["check_run"]
