"""The operator and its block as torch.nn modules. Needs only torch."""

from .converse2d import Converse2D
from .converse_block import ConverseBlock
from .layer_norm import LayerNorm2d

__all__ = ["Converse2D", "ConverseBlock", "LayerNorm2d"]
