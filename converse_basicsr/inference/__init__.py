"""Restoration of tensors: tiles, self-ensemble, consistency with the input, deconvolution. Needs only torch."""

from .consistency import CONSISTENCY_LAM, Consistency, bicubic_psf
from .self_ensemble import restore_x8
from .tiling import TILE_OVERLAP, restore_tiled

__all__ = ["CONSISTENCY_LAM", "TILE_OVERLAP", "Consistency", "bicubic_psf", "restore_tiled", "restore_x8"]
