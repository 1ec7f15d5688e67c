"""Padding: a border filled from the interior of a signal, and folded back onto it, in place."""

import torch.nn.functional as F
from torch import Tensor

PADDING_MODES = ("circular", "reflect", "replicate", "constant")


def check_size(x: Tensor, padding: int, mode: str) -> None:
    """Raise ValueError unless x (..., h, w) is large enough to be padded."""
    needed = {"circular": padding, "reflect": padding + 1}.get(mode, 1)
    if padding and min(x.shape[-2:]) < needed:
        raise ValueError(
            f"an input of {x.shape[-2]}x{x.shape[-1]} is too small for {mode} padding of {padding}: "
            f"at least {needed}x{needed} is needed"
        )


def pad(x: Tensor, padding: int, mode: str) -> Tensor:
    """(N, C, h, w) -> (N, C, h + 2*padding, w + 2*padding); ValueError if x is too small for that."""
    check_size(x, padding, mode)
    return F.pad(x, (padding,) * 4, mode) if padding else x


def fill_border(x: Tensor, padding: int, mode: str) -> None:
    """Set the outer samples of x (..., H, W) from its interior, as padding does."""
    if padding:
        _fill(x[..., padding : x.shape[-2] - padding, :], padding, mode)
        _fill(x.mT, padding, mode)


def fold_border(x: Tensor, padding: int, mode: str) -> None:
    """The transpose of fill_border: add the outer samples of x (..., H, W) to those they were taken from."""
    if padding and mode != "constant":
        _fold(x.mT, padding, mode)
        _fold(x[..., padding : x.shape[-2] - padding, :], padding, mode)


def _fill(x: Tensor, padding: int, mode: str) -> None:
    for margin, source in _margins(x, padding, mode):
        if mode == "constant":
            margin.zero_()
        else:
            margin.copy_(source.flip(-1) if mode == "reflect" else source)


def _fold(x: Tensor, padding: int, mode: str) -> None:
    for margin, source in _margins(x, padding, mode):
        if mode == "replicate":
            source.add_(margin.sum(-1, keepdim=True))
        else:
            source.add_(margin.flip(-1) if mode == "reflect" else margin)


def _margins(x: Tensor, p: int, mode: str) -> tuple[tuple[Tensor, Tensor], ...]:
    """Left and right margin of the last dimension, each with the samples that it takes (mirrored to reflect)."""
    end = x.shape[-1]
    left, right = {
        "circular": (slice(end - 2 * p, end - p), slice(p, 2 * p)),
        "reflect": (slice(p + 1, 2 * p + 1), slice(end - 2 * p - 1, end - p - 1)),
    }.get(mode, (slice(p, p + 1), slice(end - p - 1, end - p)))
    return (x[..., :p], x[..., left]), (x[..., end - p :], x[..., right])
