"""Replaces layers of a built model by Converse2D. Needs only torch."""

from .depthwise import convert_depthwise
from .report import Report, undo
from .upsampling import convert_upsampling

__all__ = ["Report", "convert_depthwise", "convert_upsampling", "undo"]
