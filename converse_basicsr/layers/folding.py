"""What stands before or after a 1x1 convolution, made part of its matrix and bias."""

from torch import Tensor, addmv, nn

from .layer_norm import LayerNorm2d


def fold_norm(norm: LayerNorm2d, conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """conv after the norm's scale and shift: matrix (C', C) and bias (C', 1), for a normalised x."""
    weight = conv.weight.flatten(1)
    return weight * norm.weight, addmv(conv.bias, weight, norm.bias)[:, None]


def fold_gain(conv: nn.Conv2d, gain: Tensor | None) -> tuple[Tensor, Tensor]:
    """gain * conv: matrix (C', C) and bias (C', 1); gain is (1, C', 1, 1), or None for 1."""
    matrix, bias = conv.weight.flatten(1), conv.bias[:, None]
    return (matrix, bias) if gain is None else (matrix * gain.view(-1, 1), bias * gain.view(-1, 1))
