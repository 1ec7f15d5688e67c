"""The elementwise part of filters.inverse_filter, and its gradient (the formulas are in filters.py)."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launching import BLOCK, dense, launch, load_complex, store_complex


def inverse_filter(bank: Tensor, shift: Tensor, floor: Tensor) -> Tensor:
    """G (N, C, H, W) from B (N or 1, C or 1, 2, H, W), real and imaginary parts apart, and (N or 1, C or 1, 1, 1)."""
    shape, options = _layout(bank, floor)
    filters = bank.new_empty(shape, dtype=bank.dtype.to_complex())
    weights = (x.expand(*shape[:2], 1, 1).contiguous() for x in (shift, floor))
    launch(_inverse_filter, options.pop("programs"), bank, *weights, filters, **options)
    return filters


def inverse_filter_gradients(grad: Tensor, bank: Tensor, shift: Tensor, floor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """grad_B (N, C, 2, H, W), grad_shift, grad_floor (N, C, 1, 1) from grad (N, C, H, W); broadcasts not summed yet."""
    shape, options = _layout(bank, floor)
    grad_bank = bank.new_empty(*shape[:2], 2, *shape[2:])
    programs = options.pop("programs")
    partial = bank.new_empty(2, programs)
    weights = (x.expand(*shape[:2], 1, 1).contiguous() for x in (shift, floor))
    launch(_inverse_filter_gradients, programs, dense(grad), bank, *weights, grad_bank, *partial, **options)
    return grad_bank, *partial.view(2, *shape[:2], 1, -1).sum(-1, keepdim=True)


def _layout(bank: Tensor, floor: Tensor) -> tuple[torch.Size, dict[str, int]]:
    n, c = torch.broadcast_shapes(bank.shape[:2], floor.shape[:2])
    size = bank.shape[-2] * bank.shape[-1]
    sample_step, channel_step, *_ = bank.expand(n, c, -1, -1, -1).stride()
    return torch.Size((n, c, *bank.shape[-2:])), {
        "programs": n * c * triton.cdiv(size, BLOCK),
        "size": size,
        "channels": c,
        "sample_step": sample_step,
        "channel_step": channel_step,
        "BLOCK": BLOCK,
    }


@triton.jit
def _place(size, channels, sample_step, channel_step, BLOCK: tl.constexpr):
    """This program's filter, its positions in it with their mask, and the offset of its B."""
    blocks = tl.cdiv(size, BLOCK)
    row = (tl.program_id(0) // blocks).to(tl.int64)
    at = (tl.program_id(0) % blocks).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return row, at, at < size, row // channels * sample_step + row % channels * channel_step


@triton.jit
def _inverse_filter(
    bank,
    shift,
    floor,
    filters,
    size,
    channels,
    sample_step,
    channel_step,
    BLOCK: tl.constexpr,
):
    row, at, mask, start = _place(size, channels, sample_step, channel_step, BLOCK)
    real = tl.load(bank + start + at, mask=mask, other=0)
    imag = tl.load(bank + start + size + at, mask=mask, other=0)
    t = 1 / (real * real + imag * imag + tl.load(floor + row))
    store_complex(filters, row * size + at, mask, (real + tl.load(shift + row)) * t, imag * t)


@triton.jit
def _inverse_filter_gradients(
    grad,
    bank,
    shift,
    floor,
    grad_bank,
    grad_shift,
    grad_floor,
    size,
    channels,
    sample_step,
    channel_step,
    BLOCK: tl.constexpr,
):
    row, at, mask, start = _place(size, channels, sample_step, channel_step, BLOCK)
    real = tl.load(bank + start + at, mask=mask, other=0)
    imag = tl.load(bank + start + size + at, mask=mask, other=0)
    t = 1 / (real * real + imag * imag + tl.load(floor + row))
    g_real, g_imag = load_complex(grad, row * size + at, mask)
    g_real, g_imag = g_real * t, g_imag * t
    c = (g_real * (real + tl.load(shift + row)) + g_imag * imag) * t
    tl.store(grad_bank + 2 * row * size + at, g_real - 2 * c * real, mask=mask)
    tl.store(grad_bank + (2 * row + 1) * size + at, g_imag - 2 * c * imag, mask=mask)
    tl.store(grad_shift + tl.program_id(0), tl.sum(g_real, 0))
    tl.store(grad_floor + tl.program_id(0), -tl.sum(c, 0))
