"""Spectra times a bank of filters, and both gradients in one pass over memory.

A program owns a few positions of one filter bank, keeps its filters (or their gradients) in registers and loops over
the samples that share them. So filters are read once, and their gradient is summed in a fixed order without atomics.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launching import BLOCK, dense, launch, load_complex, store_complex


def multiply(spectrum: Tensor, filters: Tensor) -> Tensor:
    """(N, C, 1, H, W) times (N or 1, C or 1, S, H, W): (N, C, S, H, W), complex."""
    product = spectrum.new_empty(*spectrum.shape[:2], *filters.shape[2:])
    programs, options = _layout(spectrum.shape, filters.shape)
    launch(_multiply, programs, dense(spectrum), dense(filters), product, **options)
    return product


def multiply_gradients(
    grad: Tensor, spectrum: Tensor | None, filters: Tensor, needed: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """grad_spectrum and grad_filters from grad (N, C, S, H, W); those not needed are None.

    They are grad * conj(filters) summed over S, and grad * conj(spectrum) summed over the samples that share a filter.
    The spectrum may be None where grad_filters is not needed.
    """
    grad = dense(grad)
    shape = torch.Size((*grad.shape[:2], 1, *grad.shape[3:]))
    grad_spectrum = grad.new_empty(shape) if needed[0] else None
    grad_filters = torch.empty_like(filters, memory_format=torch.contiguous_format) if needed[1] else None
    programs, options = _layout(shape, filters.shape)
    options.update(TO_SPECTRUM=needed[0], TO_FILTERS=needed[1])
    tensors = grad, spectrum, filters, grad_spectrum, grad_filters
    pointers = [grad if x is None else dense(x) for x in tensors]  # a placeholder for None, never read
    launch(_multiply_gradients, programs, *pointers, **options)
    return grad_spectrum, grad_filters


def _layout(spectrum: torch.Size, filters: torch.Size) -> tuple[int, dict[str, int]]:
    """The number of programs, and the kernels' options.

    Of the N * C spectra, bank b filters number b * bank_step + k * sample_step, for all k < samples.
    """
    components, size = filters[2], filters[3] * filters[4]
    banks = filters[0] * filters[1]
    samples = spectrum[0] * spectrum[1] // banks
    bank_step, sample_step = (1, banks) if filters[1] == spectrum[1] else (samples, 1)
    rows = triton.next_power_of_2(components)
    columns = max(BLOCK // rows, 1)
    return banks * triton.cdiv(size, columns), {
        "size": size,
        "samples": samples,
        "bank_step": bank_step,
        "sample_step": sample_step,
        "COMPONENTS": components,
        "ROWS": rows,
        "COLUMNS": columns,
    }


@triton.jit
def _tile(size, COMPONENTS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """This program's bank, its positions with their mask, and the offsets of all components there with their mask."""
    blocks = tl.cdiv(size, COLUMNS)
    bank = (tl.program_id(0) // blocks).to(tl.int64)
    at = (tl.program_id(0) % blocks).to(tl.int64) * COLUMNS + tl.arange(0, COLUMNS)
    component = tl.arange(0, ROWS).to(tl.int64)[:, None]
    inside = at < size
    return bank, at, inside, component * size + at[None, :], (component < COMPONENTS) & inside[None, :]


@triton.jit
def _multiply(
    spectrum,
    filters,
    product,
    size,
    samples,
    bank_step,
    sample_step,
    COMPONENTS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    bank, at, inside, tile, mask = _tile(size, COMPONENTS, ROWS, COLUMNS)
    f_real, f_imag = load_complex(filters, bank * COMPONENTS * size + tile, mask)
    for k in range(samples):
        sample = bank * bank_step + k * sample_step
        real, imag = load_complex(spectrum, sample * size + at, inside)
        real, imag = real[None, :], imag[None, :]
        x_real, x_imag = real * f_real - imag * f_imag, real * f_imag + imag * f_real
        store_complex(product, sample * COMPONENTS * size + tile, mask, x_real, x_imag)


@triton.jit
def _multiply_gradients(
    grad,
    spectrum,
    filters,
    grad_spectrum,
    grad_filters,
    size,
    samples,
    bank_step,
    sample_step,
    COMPONENTS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    TO_SPECTRUM: tl.constexpr,
    TO_FILTERS: tl.constexpr,
):
    bank, at, inside, tile, mask = _tile(size, COMPONENTS, ROWS, COLUMNS)
    if TO_SPECTRUM:
        f_real, f_imag = load_complex(filters, bank * COMPONENTS * size + tile, mask)
    if TO_FILTERS:
        sum_real = tl.zeros((ROWS, COLUMNS), grad.dtype.element_ty)
        sum_imag = tl.zeros((ROWS, COLUMNS), grad.dtype.element_ty)
    for k in range(samples):
        sample = bank * bank_step + k * sample_step
        g_real, g_imag = load_complex(grad, sample * COMPONENTS * size + tile, mask)
        if TO_SPECTRUM:
            x_real = tl.sum(g_real * f_real + g_imag * f_imag, 0)
            x_imag = tl.sum(g_imag * f_real - g_real * f_imag, 0)
            store_complex(grad_spectrum, sample * size + at, inside, x_real, x_imag)
        if TO_FILTERS:
            real, imag = load_complex(spectrum, sample * size + at, inside)
            real, imag = real[None, :], imag[None, :]
            sum_real += real * g_real + imag * g_imag
            sum_imag += real * g_imag - imag * g_real
    if TO_FILTERS:
        store_complex(grad_filters, bank * COMPONENTS * size + tile, mask, sum_real, sum_imag)
