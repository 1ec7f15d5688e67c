"""What is checked before a run starts, so that wrong input is one line and not a traceback an hour later."""

from .option_file import read_options
from .run_options import check_run

__all__ = ["check_run", "read_options"]
