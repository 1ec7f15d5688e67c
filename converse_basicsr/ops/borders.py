"""Padding: margins filled from the interior of a signal, and folded back onto it, in place."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .fft import friendly_size

PADDING_MODES = ("circular", "reflect", "replicate", "constant")


class Margins(NamedTuple):
    """How many samples stand around a signal on each side, in the order of F.pad."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def scaled(self, scale: int) -> "Margins":
        """The same margins on a grid finer by scale."""
        return Margins(*(scale * margin for margin in self))

    def around(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of a signal -> (H, W) with its margins."""
        return size[0] + self.top + self.bottom, size[1] + self.left + self.right

    def crop(self, x: Tensor) -> Tensor:
        """(..., H, W) -> the view (..., h, w) inside the margins."""
        return x[..., self.top : x.shape[-2] - self.bottom, self.left : x.shape[-1] - self.right]


NO_MARGINS = Margins()


def check_size(x: Tensor, padding: int, mode: str) -> None:
    """Raise ValueError unless x (..., h, w) is large enough to be padded."""
    needed = {"circular": padding, "reflect": padding + 1}.get(mode, 1)
    if padding and min(x.shape[-2:]) < needed:
        raise ValueError(
            f"an input of {x.shape[-2]}x{x.shape[-1]} is too small for {mode} padding of {padding}: "
            f"at least {needed}x{needed} is needed"
        )


def fast_margin(side: int, padding: int, mode: str) -> int:
    """The margin after a side, `padding` or the few samples more that make the whole a size of fast FFTs.

    Just `padding` where the mode cannot fill more from so small a side.
    """
    margin = friendly_size(side + 2 * padding) - side - padding
    most = {"circular": side, "reflect": side - 1}.get(mode, margin)
    return margin if margin <= most else padding


def pad(x: Tensor, margins: Margins, mode: str) -> Tensor:
    """(N, C, h, w) -> (N, C, H, W), the margins filled by mode."""
    if mode == "replicate" and torch.compiler.is_compiling():
        return _repeat_edges(x, margins)
    return F.pad(x, margins, mode) if any(margins) else x


def _repeat_edges(x: Tensor, margins: Margins) -> Tensor:
    """F.pad's 'replicate', whose own backward inductor (torch 2.13) compiles for other strides than it then meets."""
    for dim, before, after in ((-1, *margins[:2]), (-2, *margins[2:])):
        first, last = x.narrow(dim, 0, 1), x.narrow(dim, -1, 1)
        x = torch.cat([*[first] * before, x, *[last] * after], dim)
    return x


def fill_border(x: Tensor, margins: Margins, mode: str) -> None:
    """Set the outer samples of x (..., H, W), contiguous, from its interior; 'constant' leaves them."""
    left, right, top, bottom = margins
    if any(margins) and mode != "constant":
        _fill(x[..., left : x.shape[-1] - right].mT, top, bottom, mode)
        _fill(x, left, right, mode)  # whole rows, one long list of them: faster than rows of each image


def fold_border(x: Tensor, margins: Margins, mode: str) -> None:
    """The transpose of fill_border: add the outer samples of x to those they were taken from."""
    left, right, top, bottom = margins
    if any(margins) and mode != "constant":
        _fold(x, left, right, mode)
        _fold(x[..., left : x.shape[-1] - right].mT, top, bottom, mode)


def _fill(x: Tensor, before: int, after: int, mode: str) -> None:
    for margin, source in _sources(x, before, after, mode):
        margin.copy_(source.flip(-1) if mode == "reflect" else source)


def _fold(x: Tensor, before: int, after: int, mode: str) -> None:
    for margin, source in _sources(x, before, after, mode):
        if mode != "replicate":
            source.add_(margin.flip(-1) if mode == "reflect" else margin)
        elif x.is_contiguous():  # then a product with ones is faster than a sum
            source.flatten().addmv_(margin.flatten(0, -2), margin.new_ones(margin.shape[-1]))
        else:
            source.add_(margin.sum(-1, keepdim=True))


def _sources(x: Tensor, before: int, after: int, mode: str) -> tuple[tuple[Tensor, Tensor], ...]:
    """Both margins of the last dimension, each with the samples that it takes (mirrored to reflect)."""
    end = x.shape[-1] - after
    if mode == "circular":
        first, last = x[..., end - before : end], x[..., before : before + after]
    elif mode == "reflect":
        first, last = x[..., before + 1 : 2 * before + 1], x[..., end - after - 1 : end - 1]
    else:
        first, last = x[..., before : before + 1], x[..., end - 1 : end]
    return (x[..., :before], first), (x[..., end:], last)
