"""Spectra times a bank of filters: the one product over the whole batch, and its gradients."""

import torch
from torch import Tensor

from .compiling import is_compiling
from .fused import fused


def multiply(spectrum: Tensor, filters: Tensor) -> Tensor:
    """Spectra (N, C, 1, H, W) times filters (N or 1, C or 1, S, H, W): (N, C, S, H, W)."""
    if is_compiling():
        return spectrum * filters
    return _Multiply.apply(spectrum, filters)


class _Multiply(torch.autograd.Function):
    """Plain autograd would hold a product and a conjugate as large as the batch to get the filters' gradient."""

    @staticmethod
    def forward(ctx, spectrum: Tensor, filters: Tensor) -> Tensor:
        ctx.save_for_backward(spectrum, filters)
        if kernels := fused(spectrum):
            return kernels.multiply(spectrum, filters)
        return spectrum * filters

    @staticmethod
    def backward(ctx, grad: Tensor):
        spectrum, filters = ctx.saved_tensors
        needed = ctx.needs_input_grad
        if (kernels := fused(grad)) and not torch.is_grad_enabled():
            return kernels.multiply_gradients(grad, spectrum, filters, needed)
        grad_spectrum = (grad * filters.conj()).sum_to_size(spectrum.shape) if needed[0] else None
        return grad_spectrum, _gradient_to_filters(grad, spectrum, filters.shape) if needed[1] else None


def _gradient_to_filters(grad: Tensor, spectrum: Tensor, shape: torch.Size) -> Tensor:
    if shape[0] != 1 or torch.is_grad_enabled():
        return (spectrum.conj() * grad).sum_to_size(shape)
    total = spectrum[:1].conj() * grad[:1]
    for i in range(1, len(grad)):
        total.addcmul_(spectrum[i : i + 1].conj(), grad[i : i + 1])
    return total.sum_to_size(shape)
