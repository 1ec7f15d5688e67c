"""The elementwise part of inverse_filter, and its gradient (formulas there)."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launching import BLOCK, dense, launch, load_complex, store_complex


def inverse_filter(bank: Tensor, lam: Tensor, cells: int, nearest: bool) -> Tensor:
    """G (N, C, H, W) from B (N or 1, C or 1, 2, H, W), its parts apart, and lam (N or 1, C or 1, 1, 1)."""
    shape, options = _layout(bank, lam, cells, nearest)
    filters = bank.new_empty(shape, dtype=bank.dtype.to_complex())
    lam = lam.expand(*shape[:2], 1, 1).contiguous()
    launch(_inverse_filter, options.pop("programs"), bank, lam, filters, **options)
    return filters


def inverse_filter_gradients(
    grad: Tensor, bank: Tensor, lam: Tensor, cells: int, nearest: bool
) -> tuple[Tensor, Tensor]:
    """Gradients to B (N, C, 2, H, W) and lam (N, C, 1, 1) from grad (N, C, H, W), not summed where they broadcast."""
    shape, options = _layout(bank, lam, cells, nearest)
    grad_bank = bank.new_empty(*shape[:2], 2, *shape[2:])
    programs = options.pop("programs")
    partial = bank.new_empty(programs)
    lam = lam.expand(*shape[:2], 1, 1).contiguous()
    launch(_inverse_filter_gradients, programs, dense(grad), bank, lam, grad_bank, partial, **options)
    return grad_bank, partial.view(*shape[:2], 1, -1).sum(-1, keepdim=True)


def _layout(bank: Tensor, lam: Tensor, cells: int, nearest: bool) -> tuple[torch.Size, dict[str, int]]:
    n, c = torch.broadcast_shapes(bank.shape[:2], lam.shape[:2])
    size = bank.shape[-2] * bank.shape[-1]
    sample_step, channel_step, *_ = bank.expand(n, c, -1, -1, -1).stride()
    return torch.Size((n, c, *bank.shape[-2:])), {
        "programs": n * c * triton.cdiv(size, BLOCK),
        "size": size,
        "channels": c,
        "sample_step": sample_step,
        "channel_step": channel_step,
        "cells": cells,
        "NEAREST": nearest,
        "BLOCK": BLOCK,
    }


@triton.jit
def _place(size, channels, sample_step, channel_step, BLOCK: tl.constexpr):
    """This program's filter, the positions in it with their mask, and where its B begins."""
    blocks = tl.cdiv(size, BLOCK)
    row = (tl.program_id(0) // blocks).to(tl.int64)
    at = (tl.program_id(0) % blocks).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return row, at, at < size, row // channels * sample_step + row % channels * channel_step


@triton.jit
def _inverse_filter(
    bank,
    lam,
    filters,
    size,
    channels,
    sample_step,
    channel_step,
    cells,
    NEAREST: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row, at, mask, start = _place(size, channels, sample_step, channel_step, BLOCK)
    real = tl.load(bank + start + at, mask=mask, other=0)
    imag = tl.load(bank + start + size + at, mask=mask, other=0)
    weight = tl.load(lam + row)
    t = 1 / ((real * real + imag * imag + weight) * cells)
    numerator = real + weight if NEAREST else real
    store_complex(filters, row * size + at, mask, numerator * t, imag * t)


@triton.jit
def _inverse_filter_gradients(
    grad,
    bank,
    lam,
    grad_bank,
    grad_lam,
    size,
    channels,
    sample_step,
    channel_step,
    cells,
    NEAREST: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row, at, mask, start = _place(size, channels, sample_step, channel_step, BLOCK)
    real = tl.load(bank + start + at, mask=mask, other=0)
    imag = tl.load(bank + start + size + at, mask=mask, other=0)
    weight = tl.load(lam + row)
    t = 1 / ((real * real + imag * imag + weight) * cells)
    g_real, g_imag = load_complex(grad, row * size + at, mask)
    g_real, g_imag = g_real * t, g_imag * t
    numerator = real + weight if NEAREST else real
    c = (g_real * numerator + g_imag * imag) * t * cells
    tl.store(grad_bank + 2 * row * size + at, g_real - 2 * c * real, mask=mask)
    tl.store(grad_bank + (2 * row + 1) * size + at, g_imag - 2 * c * imag, mask=mask)
    tl.store(grad_lam + tl.program_id(0), tl.sum(g_real - c if NEAREST else -c, 0))
