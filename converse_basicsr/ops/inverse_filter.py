"""The filter of scale 1 in few passes: from a psf to the spectrum of its regularised inverse, with its gradient."""

from functools import lru_cache

import torch
from torch import Tensor

from .compiling import is_compiling
from .fused import fused
from .spectra import adjoint_bank, thin_dft
from .transforms import Torus


def inverse_filter(psf: Tensor, lam: Tensor, torus: Torus, prior: str) -> Tensor:
    """(B + lam) / ((|B|^2 + lam) H W) for the prior 'nearest', B / ((|B|^2 + lam) H W) for 'zero'.

    B = conj(otf). The same as `inverse_filter_composite`; real and imaginary parts stand apart inside, so that a
    handful of passes over real matrices do.

    Args:
        psf: (N or 1, C or 1, kh, kw).
        lam: (N or 1, C or 1, 1, 1).

    Returns:
        (N or 1, C or 1, H, columns), complex.
    """
    if is_compiling():
        return inverse_filter_composite(psf, lam, torus, prior)
    return _InverseFilter.apply(psf, lam, torus, prior)


def inverse_filter_composite(psf: Tensor, lam: Tensor, torus: Torus, prior: str) -> Tensor:
    """inverse_filter as plain operations: its second derivatives, and what it is tested against."""
    bank = adjoint_bank(psf, torus.size, 1, torus.columns).squeeze(-3)
    gain = bank.real.square() + bank.imag.square() + lam
    numerator = bank + lam if prior == "nearest" else bank
    return numerator / (gain * torus.cells)


class _InverseFilter(torch.autograd.Function):
    """With B from H W times the psf, shift = H W lam or 0, floor = (H W)^2 lam and t = 1 / (|B|^2 + floor), so that
    nothing remains to be scaled: G = (B + shift) t, and for a gradient g

        c = Re(conj(g) G) t,    dB = g t - 2 c B,    dshift = sum(Re(g) t),    dfloor = -sum(c)

    Pairs of samples share a filter, beside which B is small, and keep it for the backward; for a single image it would
    be as large as the image, and few taps make it anew in little time.
    """  # fmt: skip

    @staticmethod
    def forward(ctx, psf: Tensor, lam: Tensor, torus: Torus, prior: str) -> Tensor:
        ctx.options = torus, prior
        bank = _transform(psf, torus)
        ctx.save_for_backward(psf, lam, bank if torus.packed else None)
        kernels = fused(bank)
        return (kernels.inverse_filter if kernels else _inverse_filter)(bank, *_weights(lam, torus, prior))

    @staticmethod
    def backward(ctx, grad: Tensor):
        psf, lam, bank = ctx.saved_tensors
        torus, prior = ctx.options
        if torch.is_grad_enabled():
            inputs = [x if needed else None for x, needed in zip((psf, lam), ctx.needs_input_grad, strict=False)]
            filters = inverse_filter_composite(psf, lam, torus, prior)
            grads = iter(torch.autograd.grad(filters, [x for x in inputs if x is not None], grad, create_graph=True))
            return *(None if x is None else next(grads) for x in inputs), None, None
        with torch.autocast(grad.device.type, enabled=False):
            bank = _transform(psf, torus) if bank is None else bank
            return *_InverseFilter._gradients(grad, psf, lam, bank, torus, prior), None, None

    @staticmethod
    def _gradients(grad, psf, lam, bank, torus, prior) -> tuple[Tensor, Tensor]:
        kernels = fused(bank)
        elementwise = kernels.inverse_filter_gradients if kernels else _inverse_filter_gradients
        grad_bank, grad_shift, grad_floor = elementwise(grad, bank, *_weights(lam, torus, prior))
        rows, cols = _dft_matrices(*psf.shape[-2:], torus, psf.dtype, psf.device)
        grad_bank = grad_bank.view(-1, len(rows), torus.columns)
        grad_taps = torch.bmm(rows.mT.expand(len(grad_bank), -1, -1), grad_bank)
        grad_psf = torch.mm(grad_taps.view(-1, len(cols)), cols).view(*grad.shape[:2], *psf.shape[-2:])
        grad_lam = grad_floor * torus.cells**2
        if prior == "nearest":
            grad_lam = torch.add(grad_lam, grad_shift, alpha=torus.cells)
        return grad_psf.sum_to_size(psf.shape), grad_lam.sum_to_size(lam.shape)


def _transform(psf: Tensor, torus: Torus) -> Tensor:
    """B with its real and imaginary part apart: (N or 1, C or 1, 2, H, columns)."""
    rows, cols = _dft_matrices(*psf.shape[-2:], torus, psf.dtype, psf.device)
    taps = torch.mm(psf.reshape(-1, psf.shape[-1]), cols.mT).view(-1, rows.shape[1], torus.columns)
    return torch.bmm(rows.expand(len(taps), -1, -1), taps).view(*psf.shape[:2], 2, -1, torus.columns)


def _weights(lam: Tensor, torus: Torus, prior: str) -> tuple[Tensor, Tensor]:
    """shift and floor."""
    return lam * (torus.cells if prior == "nearest" else 0), lam * torus.cells**2


def _inverse_filter(bank: Tensor, shift: Tensor, floor: Tensor) -> Tensor:
    """G (N, C, H, columns) from B."""
    real, imag = bank.unbind(-3)
    t = _inverse_gain(real, imag, floor)
    return torch.complex((real + shift).mul_(t), imag * t)


def _inverse_filter_gradients(grad, bank, shift, floor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients to B, (N, C, 2, H, columns), shift and floor, (N, C, 1, 1); none is summed further."""
    real, imag = bank.unbind(-3)
    t = _inverse_gain(real, imag, floor)
    grad_bank = bank.new_empty(*grad.shape[:2], *bank.shape[2:])
    grad_real, grad_imag = grad_bank.unbind(-3)
    torch.mul(grad.real, t, out=grad_real)
    torch.mul(grad.imag, t, out=grad_imag)
    grad_shift = grad_real.sum((-2, -1), keepdim=True)
    c = (real + shift).mul_(grad_real).addcmul_(grad_imag, imag).mul_(t)
    grad_floor = -c.sum((-2, -1), keepdim=True)
    grad_real.addcmul_(c, real, value=-2)
    grad_imag.addcmul_(c, imag, value=-2)
    return grad_bank, grad_shift, grad_floor


def _inverse_gain(real: Tensor, imag: Tensor, floor: Tensor) -> Tensor:
    """t."""
    return torch.addcmul(floor, real, real).addcmul_(imag, imag).reciprocal_()


@lru_cache(maxsize=64)
def _dft_matrices(kh: int, kw: int, torus: Torus, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The two thin products as real matrices: cols (2 columns, kw), the parts one after the other and H W in it, and
    rows (2H, 2kh), the parts of the result one after the other, those of a tap side by side.
    """
    with torch.inference_mode(False), torch.no_grad():  # autograd may meet them later
        like = torch.empty(0, dtype=dtype, device=device)
        rows = thin_dft(kh, torus.size[0], torus.size[0], 1, like)
        cols = thin_dft(kw, torus.size[1], torus.columns, 1, like) * torus.cells
        real, imag = torch.stack([rows.real, -rows.imag], -1), torch.stack([rows.imag, rows.real], -1)
        return torch.cat([real, imag]).flatten(1), torch.cat([cols.real, cols.imag])
