"""Restoring one image in other ways than in one pass: functions of tensors. Needs torch alone."""

from .self_ensemble import restore_x8
from .tiling import restore_tiled

__all__ = ["restore_tiled", "restore_x8"]
