"""Restoration in tiles and with self-ensemble, as functions of tensors. Needs only torch."""

from .self_ensemble import restore_x8
from .tiling import TILE_OVERLAP, restore_tiled

__all__ = ["TILE_OVERLAP", "restore_tiled", "restore_x8"]
