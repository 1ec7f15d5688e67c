"""Data sets. Importing this package registers them with BasicSR."""

from ..compat import load_basicsr

load_basicsr()

from . import degraded_dataset, ground_truth_dataset  # noqa: E402, F401 (registers)
