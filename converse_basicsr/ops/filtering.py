"""A padded signal through a bank of circular filters: transform, multiply, transform back, as one autograd function."""

from collections.abc import Callable

import torch
from torch import Tensor

from .dispatch import triton_kernels, without_autocast
from .fft import fft2, ifft2
from .padding import Margins, fold_border
from .transforms import Torus, pack, unpack

REBUILT_BYTES = 2 * 2**20  # of filters, from where on the backward builds them again instead of keeping them


def filter_signal(
    y: Tensor,
    filters: Tensor,
    torus: Torus,
    margins: Margins,
    mode: str,
    sources: tuple[Tensor, Tensor] | None = None,
    build: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Pad y by mode, filter it and crop the margins.

    Args:
        y: (N, C, h, w).
        filters: spectra (N or 1, C or 1, S, H, columns) on the torus.
        sources: psf and lam, from which build makes the filters again; for the backward where they are large and
            learned. None: they are kept.

    Returns:
        (N, C, S, h, w).
    """
    if torus.plain:
        return torus.synthesise(torus.analyse(y, margins, mode).unsqueeze(torus.component_dim) * filters, margins)
    rebuilt = sources and torch.is_grad_enabled() and filters.requires_grad and filters.nbytes >= REBUILT_BYTES
    sources = sources if rebuilt else (None, None)
    return _Filter.apply(y, filters, torus, margins, mode, build, *sources)[0]


class _Filter(torch.autograd.Function):
    """The filtered signal, and the spectrum of the padded y: a second output, so that the backward is differentiable.

    The spectrum is saved only if the filters need a gradient; otherwise the second output is None. Autograd's own
    backward would hold products and conjugates as large as the batch.
    """

    @staticmethod
    def forward(ctx, y: Tensor, filters: Tensor, torus: Torus, margins: Margins, mode: str, build, *sources):
        ctx.set_materialize_grads(False)
        ctx.options = torus, margins, mode
        ctx.build = build
        spectrum = torus.to_spectrum(y, margins, mode).unsqueeze(-3)
        if not ctx.needs_input_grad[1]:
            ctx.save_for_backward(None, filters, None, None)
            return torus.to_signal(_multiply(spectrum, filters, in_place=True), margins), None
        ctx.save_for_backward(spectrum, filters if sources[0] is None else None, *sources)
        return torus.to_signal(_multiply(spectrum, filters, in_place=False), margins), spectrum

    @staticmethod
    def backward(ctx, grad: Tensor | None, grad_spectrum: Tensor | None):
        torus, margins, mode = ctx.options
        needed = ctx.needs_input_grad[:2]
        first_order = grad is not None and grad_spectrum is None and not torch.is_grad_enabled()
        if first_order and torus.packed and not triton_kernels(grad):
            return *_gradients_of_pairs(ctx, grad), *[None] * 6
        spectrum, filters = _saved(ctx)
        total_spectrum, grad_y, grad_filters = grad_spectrum, None, None
        if grad is not None:
            total_spectrum, grad_filters = _gradients(torus.analyse(grad, margins), spectrum, filters, needed)
            if grad_spectrum is not None and needed[0]:
                total_spectrum = total_spectrum + grad_spectrum
        if total_spectrum is not None and needed[0]:
            grad_y = torus.transpose_of_analyse(total_spectrum.squeeze(-3), margins, mode)
        return grad_y, grad_filters, *[None] * 6


def _saved(ctx) -> tuple[Tensor | None, Tensor]:
    """The spectrum and the filters, which may have to be built again."""
    spectrum, filters, psf, lam = ctx.saved_tensors
    if filters is None:
        with without_autocast(psf):
            filters = ctx.build(psf, lam)
    return spectrum, filters


def _multiply(spectrum: Tensor, filters: Tensor, in_place: bool) -> Tensor:
    """Spectra (N, C, 1, H, W) times filters (N or 1, C or 1, S, H, W): (N, C, S, H, W)."""
    if kernels := triton_kernels(spectrum):
        return kernels.multiply(spectrum, filters)
    return spectrum.mul_(filters) if in_place and filters.shape[-3] == 1 else spectrum * filters


def _gradients(grad_f: Tensor, spectrum: Tensor | None, filters: Tensor, needed: tuple[bool, bool]):
    """grad_spectrum and grad_filters from the gradient of their product; those not needed are None."""
    if (kernels := triton_kernels(grad_f)) and not torch.is_grad_enabled():
        return kernels.multiply_gradients(grad_f, spectrum, filters, needed)
    grad_filters = _sum_of_products(grad_f, spectrum.conj(), filters.shape) if needed[1] else None
    return _sum_components(grad_f * filters.conj()) if needed[0] else None, grad_filters


def _gradients_of_pairs(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """grad_y and grad_filters from the gradient of the filtered signal, without forming a conjugate.

    x2 + i*x1 is i*conj(x1 + i*x2). So pairs with their samples exchanged, filtered between the transforms of the
    other direction, come out filtered by the conjugates, with their samples exchanged. The tensors in between are as
    large as the batch, so each one is dropped as soon as possible.
    """
    spectrum, filters = _saved(ctx)
    torus, margins, mode = ctx.options
    z = ifft2(pack(grad, torus.size, margins, "constant", packed=True, exchanged=True))
    grad_filters = None
    if ctx.needs_input_grad[1]:
        grad_filters = _exchange(_sum_of_products(spectrum, z, filters.shape))
    if not ctx.needs_input_grad[0]:
        return None, grad_filters
    z = z.mul_(filters) if filters.shape[-3] == 1 else _sum_components(z * filters)
    del spectrum, filters
    z = fft2(z.squeeze(-3))
    fold_border(z, margins, mode)
    return unpack(z, margins, packed=True, exchanged=True), grad_filters


def _exchange(x: Tensor) -> Tensor:
    """Real and imaginary parts exchanged: i*conj(x)."""
    return torch.complex(x.imag, x.real)


def _sum_components(product: Tensor) -> Tensor:
    """(N, C, S, H, W) -> (N, C, 1, H, W)."""
    return product if product.shape[-3] == 1 else product.sum(-3, keepdim=True)


def _sum_of_products(a: Tensor, b: Tensor, shape: torch.Size) -> Tensor:
    """a * b, summed over the samples and channels that share a filter."""
    if shape[0] != 1 or torch.is_grad_enabled():
        return (a * b).sum_to_size(shape)
    total = a[:1] * b[:1]
    for i in range(1, len(b)):
        total.addcmul_(a[i : i + 1], b[i : i + 1])
    return total.sum_to_size(shape)
