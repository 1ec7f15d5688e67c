"""Evaluation of a trained network: metrics per image, comparison figures, and the report of a run."""
