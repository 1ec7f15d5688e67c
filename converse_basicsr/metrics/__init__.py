"""Metrics. Importing this package registers them with BasicSR."""

from ..compat import load_basicsr

load_basicsr()

from . import rounded_y_metric  # noqa: E402, F401 (registers)
