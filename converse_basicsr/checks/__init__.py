"""Checks before a run starts: wrong input is reported at once and in one line."""

from .run_options import check_run

__all__ = ["check_run"]
