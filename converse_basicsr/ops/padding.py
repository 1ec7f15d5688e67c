"""Padding: margins are filled from the interior of a signal, and in gradients added back to it, in place."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_count
from .fft import fast_fft_size

PADDING_MODES = ("circular", "reflect", "replicate", "constant")


class Margins(NamedTuple):
    """How many samples are added to a signal on each side, in the order of F.pad."""

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


def check_padding(padding: int, mode: str) -> None:
    """Raise ValueError unless padding is an integer of 0 or more and mode one of PADDING_MODES."""
    check_count("padding", padding, least=0)
    if mode not in PADDING_MODES:
        raise ValueError(f"padding_mode must be one of {', '.join(PADDING_MODES)}, got {mode!r}")


def smallest_side(padding: int, mode: str) -> int:
    """The smallest side of a signal that can be padded."""
    return max({"circular": padding, "reflect": padding + 1}.get(mode, 1) if padding else 1, 1)


def check_size(x: Tensor, padding: int, mode: str) -> None:
    """Raise ValueError unless x (..., h, w) is large enough to be padded."""
    needed = smallest_side(padding, mode)
    if min(x.shape[-2:]) < needed:
        raise ValueError(
            f"an input of {x.shape[-2]}x{x.shape[-1]} is too small for {mode} padding of {padding}: "
            f"at least {needed}x{needed} is needed"
        )


def choose_margins(size: tuple[int, int], padding: int, mode: str, fast_size: bool) -> Margins:
    """The margins of a signal (h, w): `padding` on all sides, with fast_size a few more at the bottom and right."""
    bottom, right = (_fast_margin(side, padding, mode) if fast_size else padding for side in size)
    return Margins(left=padding, right=right, top=padding, bottom=bottom)


def _fast_margin(side: int, padding: int, mode: str) -> int:
    """The margin after a side, enlarged so that the padded side is a fast FFT size.

    It stays `padding` where the mode cannot fill more from so short a side.
    """
    margin = fast_fft_size(side + 2 * padding) - side - padding
    limit = {"circular": side, "reflect": side - 1}.get(mode, margin)
    return margin if margin <= limit else padding


def pad(x: Tensor, margins: Margins, mode: str, plain: bool = False) -> Tensor:
    """(N, C, h, w) -> (N, C, H, W), the margins filled by mode; plain as in transforms.Torus."""
    if not any(margins):
        return x
    # Inductor (torch 2.13) compiles the backward of torch's own 'replicate' for the wrong strides.
    return pad_by_slices(x, margins, mode) if plain and mode == "replicate" else F.pad(x, margins, mode)


def pad_by_slices(x: Tensor, margins: Margins, mode: str, dims: tuple[int, int] = (-2, -1)) -> Tensor:
    """pad by slices and concatenations alone; dims are the axes of h and w."""
    for dim, before, after in ((dims[1], margins.left, margins.right), (dims[0], margins.top, margins.bottom)):
        if before or after:
            x = torch.cat([*_margin(x, dim, before, mode, 0), x, *_margin(x, dim, after, mode, 1)], dim)
    return x


def _margin(x: Tensor, dim: int, width: int, mode: str, side: int) -> list[Tensor]:
    """What is put before (side 0) or after x, to be concatenated. All indices are constants, also in a trace."""
    if width == 0:
        return []
    if mode == "replicate":
        return [_part(x, dim, -1 if side else 0, None if side else 1)] * width
    if mode == "circular":
        return [_part(x, dim, 0 if side else -width, width if side else None)]
    if mode == "reflect":
        return [_part(x, dim, -width - 1 if side else 1, -1 if side else width + 1).flip(dim)]
    return [torch.zeros_like(_part(x, dim, 0, 1))] * width


def _part(x: Tensor, dim: int, start: int, stop: int | None) -> Tensor:
    """x[start:stop] along dim."""
    index = [slice(None)] * x.dim()
    index[dim] = slice(start, stop)
    return x[tuple(index)]


def fill_border(x: Tensor, margins: Margins, mode: str) -> None:
    """Fill the margins of x (..., H, W), contiguous, from its interior; 'constant' leaves them as they are."""
    left, right, top, bottom = margins
    if any(margins) and mode != "constant":
        _fill(x[..., left : x.shape[-1] - right].mT, top, bottom, mode)
        _fill(x, left, right, mode)  # all rows of all images at once


def fold_border(x: Tensor, margins: Margins, mode: str) -> None:
    """The transpose of fill_border: add the margins of x to the samples they were copied from."""
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
        elif x.is_contiguous():  # a product with ones is faster than a sum
            source.flatten().addmv_(margin.flatten(0, -2), margin.new_ones(margin.shape[-1]))
        else:
            source.add_(margin.sum(-1, keepdim=True))


def _sources(x: Tensor, before: int, after: int, mode: str) -> tuple[tuple[Tensor, Tensor], ...]:
    """Both margins of the last dimension, each with the samples that it copies ('reflect' mirrors them)."""
    end = x.shape[-1] - after
    if mode == "circular":
        first, last = x[..., end - before : end], x[..., before : before + after]
    elif mode == "reflect":
        first, last = x[..., before + 1 : 2 * before + 1], x[..., end - after - 1 : end - 1]
    else:
        first, last = x[..., before : before + 1], x[..., end - 1 : end]
    return (x[..., :before], first), (x[..., end:], last)
