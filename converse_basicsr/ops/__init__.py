"""The operator as functions of tensors. Needs torch alone."""

from .converse2d import PRIORS, converse2d
from .reference import converse2d_reference

__all__ = ["PRIORS", "converse2d", "converse2d_reference"]
