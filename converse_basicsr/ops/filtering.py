"""A padded signal through a bank of circular filters: transform, multiply, transform back, as one step of autograd."""

import torch
from torch import Tensor

from .borders import Margins, fold_border
from .compiling import is_compiling
from .fft import fft2, ifft2
from .fused import fused
from .packing import pack, unpack
from .transforms import Torus


def filter_signal(y: Tensor, filters: Tensor, torus: Torus, margins: Margins, mode: str) -> Tensor:
    """y (N, C, h, w), padded by mode, through filters (N or 1, C or 1, S, H, columns), cropped: (N, C, S, h, w)."""
    if is_compiling():
        return torus.synthesise(torus.analyse(y, margins, mode).unsqueeze(-3) * filters, margins)
    return _Filter.apply(y, filters, torus, margins, mode)[0]


class _Filter(torch.autograd.Function):
    """The filtered signal, and the spectrum of y, padded: an output too, so that the backward is differentiable.

    Where the filters need no gradient, the spectrum is not kept and its place is None. Plain autograd would hold
    products and conjugates as large as the batch.
    """

    @staticmethod
    def forward(ctx, y: Tensor, filters: Tensor, torus: Torus, margins: Margins, mode: str):
        ctx.set_materialize_grads(False)
        ctx.options = torus, margins, mode
        spectrum = torus.to_spectrum(y, margins, mode).unsqueeze(-3)
        if not ctx.needs_input_grad[1]:
            ctx.save_for_backward(None, filters)
            return torus.to_signal(_product(spectrum, filters, in_place=True), margins), None
        ctx.save_for_backward(spectrum, filters)
        return torus.to_signal(_product(spectrum, filters, in_place=False), margins), spectrum

    @staticmethod
    def backward(ctx, grad: Tensor | None, grad_spectrum: Tensor | None):
        spectrum, filters = ctx.saved_tensors
        torus, margins, mode = ctx.options
        needed = ctx.needs_input_grad[:2]
        first_order = grad is not None and grad_spectrum is None and not torch.is_grad_enabled()
        if first_order and torus.packed and not fused(grad):
            return *_gradients_of_pairs(grad, spectrum, filters, torus, margins, mode, needed), None, None, None
        to_spectrum, to_y, to_filters = grad_spectrum, None, None
        if grad is not None:
            to_spectrum, to_filters = _gradients(torus.analyse(grad, margins), spectrum, filters, needed)
            if grad_spectrum is not None and needed[0]:
                to_spectrum = to_spectrum + grad_spectrum
        if to_spectrum is not None and needed[0]:
            to_y = torus.transpose_of_analyse(to_spectrum.squeeze(-3), margins, mode)
        return to_y, to_filters, None, None, None


def _product(spectrum: Tensor, filters: Tensor, in_place: bool) -> Tensor:
    """Spectra (N, C, 1, H, W) times filters (N or 1, C or 1, S, H, W): (N, C, S, H, W)."""
    if kernels := fused(spectrum):
        return kernels.multiply(spectrum, filters)
    return spectrum.mul_(filters) if in_place and filters.shape[-3] == 1 else spectrum * filters


def _gradients(grad_f: Tensor, spectrum: Tensor | None, filters: Tensor, needed: tuple[bool, bool]):
    """To spectrum and to filters, from that of their product; those not needed are None."""
    if (kernels := fused(grad_f)) and not torch.is_grad_enabled():
        return kernels.multiply_gradients(grad_f, spectrum, filters, needed)
    to_filters = _sum_of_products(grad_f, spectrum.conj(), filters.shape) if needed[1] else None
    return _sum_of_components(grad_f * filters.conj()) if needed[0] else None, to_filters


def _gradients_of_pairs(grad, spectrum, filters, torus, margins, mode, needed) -> tuple[Tensor | None, Tensor | None]:
    """To y and to filters, from that of the filtered signal, and no conjugate is formed.

    x2 + i*x1 is i*conj(x1 + i*x2). So pairs whose samples are exchanged, sent through the filters themselves between
    the transforms of the other direction, come out filtered by their conjugates, and exchanged.
    """
    grad_f = ifft2(pack(grad, torus.size, margins, "constant", packed=True, exchanged=True))
    to_y = to_filters = None
    if needed[1]:
        total = _sum_of_products(spectrum, grad_f, filters.shape)
        to_filters = torch.complex(total.imag, total.real)
    if needed[0]:
        product = grad_f.mul_(filters) if filters.shape[-3] == 1 else grad_f * filters
        x = fft2(_sum_of_components(product).squeeze(-3))
        fold_border(x, margins, mode)
        to_y = unpack(x, margins, packed=True, exchanged=True)
    return to_y, to_filters


def _sum_of_components(product: Tensor) -> Tensor:
    """(N, C, S, H, W) -> (N, C, 1, H, W)."""
    return product if product.shape[-3] == 1 else product.sum(-3, keepdim=True)


def _sum_of_products(a: Tensor, b: Tensor, shape: torch.Size) -> Tensor:
    """a * b, summed over what shares a filter."""
    if shape[0] != 1 or torch.is_grad_enabled():
        return (a * b).sum_to_size(shape)
    total = a[:1] * b[:1]
    for i in range(1, len(b)):
        total.addcmul_(a[i : i + 1], b[i : i + 1])
    return total.sum_to_size(shape)
