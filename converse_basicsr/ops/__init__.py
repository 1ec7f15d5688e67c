"""The operator as functions of tensors. Needs only torch."""

from .blur import blur_decimate
from .cache import FilterCache
from .converse2d import converse2d
from .prior import PRIORS
from .reference import converse2d_reference

__all__ = ["PRIORS", "FilterCache", "blur_decimate", "converse2d", "converse2d_reference"]
