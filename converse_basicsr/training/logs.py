"""Two loggers with one file: `log` is also shown on the terminal, BasicSR's own logger only in the file."""

import logging
import sys
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

import basicsr.utils.logger as basicsr_logger

log = logging.getLogger("converse_basicsr")
_FORMAT = "%(asctime)s %(levelname)s: %(message)s"


class _Terminal(logging.Handler):
    """Prints above a live line, at once; warnings with their level."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        tqdm.write(text if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {text}")
        sys.stdout.flush()


class _File(logging.FileHandler):
    """A log file whose errors, such as a full disk, are raised instead of printed with a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise


def open_logs(file: Path | None) -> None:
    """Log to this file and to the terminal; None (all ranks but the first): only warnings, on the terminal."""
    basicsr_logger.initialized_logger["basicsr"] = True  # else BasicSR adds its own terminal output
    names = {"converse_basicsr": logging.INFO if file else logging.WARNING, "basicsr": logging.WARNING}
    close_logs()
    for name, level in names.items():
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.INFO)
        terminal = _Terminal(level)
        terminal.addFilter(lambda record: not getattr(record, "only_file", False))
        logger.addHandler(terminal)
        if file:
            handler = _File(file, encoding="utf-8")
            handler.setFormatter(logging.Formatter(_FORMAT))
            logger.addHandler(handler)


def close_logs() -> None:
    for name in ("converse_basicsr", "basicsr"):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            with suppress(OSError):  # a full disk
                handler.close()


def note_error(text: str) -> None:
    """Write why a run ends into the log file, if that is possible: the disk may be full."""
    with suppress(OSError):
        log.error(text, extra={"only_file": True})
