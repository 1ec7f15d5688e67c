"""Signals padded and packed for an FFT, and unpacked and cropped after it: one launch each.

A padded plane has fewer than 2^31 samples; within it indices are 32-bit, since 64-bit divisions are slow.
"""

import triton
import triton.language as tl
from torch import Tensor

from ..padding import Margins
from .launching import BLOCK, launch


def pack(y: Tensor, size: tuple[int, int], margins: Margins, mode: str, packed: bool) -> Tensor:
    """(N, ..., h, w), padded by mode to size (H, W): real (N, ..., H, W), or pairs as complex (N/2, ..., H, W)."""
    batch, dtype = (y.shape[0] // 2, y.dtype.to_complex()) if packed else (y.shape[0], y.dtype)
    z = y.new_empty(batch, *y.shape[1:-2], *size, dtype=dtype)
    _run(_pack, y.contiguous(), z, size, z.shape[:-2].numel(), y.shape[-2:], size, margins, packed, MODE=mode)
    return z


def unpack(z: Tensor, margins: Margins, packed: bool) -> Tensor:
    """(N or N/2, ..., H, W), real or complex, margins cropped: (N, ..., h, w), real."""
    size = margins.crop(z).shape[-2:]
    batch = 2 * z.shape[0] if packed else z.shape[0]
    y = z.new_empty(batch, *z.shape[1:-2], *size, dtype=z.dtype.to_real())
    _run(_unpack, z.contiguous(), y, size, z.shape[:-2].numel(), size, z.shape[-2:], margins, packed)
    return y


def _run(kernel, source, target, plane, signals, inner, outer, margins, packed, **options) -> None:
    """Launch one program per block of a plane of the target."""
    programs = signals * triton.cdiv(plane[0] * plane[1], BLOCK)
    numbers = {"signals": signals, "height": inner[0], "width": inner[1], "rows": outer[0], "columns": outer[1]}
    numbers.update(top=margins.top, left=margins.left)
    launch(kernel, programs, source, target, **numbers, PARTS=1 + packed, BLOCK=BLOCK, **options)


@triton.jit
def _plane(size, columns, BLOCK: tl.constexpr):
    """This program's signal, and its samples in a plane of `size` with `columns` to a row: offset, row, column."""
    blocks = tl.cdiv(size, BLOCK)
    at = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    return (tl.program_id(0) // blocks).to(tl.int64), at, at // columns, at % columns


@triton.jit
def _origin(at, size, before, MODE: tl.constexpr):
    """The sample (of `size`) that padding copies to position `at`; outside the range for zeros."""
    at = at - before
    if MODE == "circular":
        at = (at + size) % size
    elif MODE == "reflect":
        at = tl.abs(at)
        at = tl.minimum(at, 2 * (size - 1) - at)
    elif MODE == "replicate":
        at = tl.minimum(tl.maximum(at, 0), size - 1)
    return at


@triton.jit
def _pack(
    y,
    z,
    signals,
    height,
    width,
    rows,
    columns,
    top,
    left,
    PARTS: tl.constexpr,
    BLOCK: tl.constexpr,
    MODE: tl.constexpr,
):
    """z (signals, rows, columns, PARTS) from y (PARTS, signals, height, width)."""
    signal, at, row, column = _plane(rows * columns, columns, BLOCK)
    row, column = _origin(row, height, top, MODE), _origin(column, width, left, MODE)
    mask = at < rows * columns
    inside = mask & (row >= 0) & (row < height) & (column >= 0) & (column < width)
    part = tl.arange(0, PARTS)[None, :]
    origin = (part * signals + signal) * height * width + (row * width + column)[:, None]
    value = tl.load(y + origin, mask=inside[:, None], other=0)
    tl.store(z + (signal * rows * columns + at)[:, None] * PARTS + part, value, mask=mask[:, None])


@triton.jit
def _unpack(
    z,
    y,
    signals,
    height,
    width,
    rows,
    columns,
    top,
    left,
    PARTS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """y (PARTS, signals, height, width) from the inside of z (signals, rows, columns, PARTS)."""
    signal, at, row, column = _plane(height * width, width, BLOCK)
    mask = (at < height * width)[:, None]
    part = tl.arange(0, PARTS)[None, :]
    origin = signal * rows * columns + (row + top) * columns + column + left
    value = tl.load(z + origin[:, None] * PARTS + part, mask=mask)
    tl.store(y + (part * signals + signal) * height * width + at[:, None], value, mask=mask)
