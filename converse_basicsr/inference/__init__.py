"""Restoring one image in other ways than in one pass: functions of tensors. Needs torch alone."""

from .self_ensemble import restore_x8
from .tiling import TILE_OVERLAP, restore_tiled

__all__ = ["TILE_OVERLAP", "restore_tiled", "restore_x8"]
