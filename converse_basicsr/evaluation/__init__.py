"""Evaluating a trained network: metrics of each image, comparison figures, and the report at the end of a run."""

from ..compat import load_basicsr

load_basicsr()
