"""From psf and lam to filters: with a prior made from y itself, the solution is one bank of fixed filters."""

from functools import lru_cache

import torch
from torch import Tensor

from .adjoint import squared_modulus, thin_dft
from .dispatch import triton_kernels, without_autocast
from .transforms import Torus

FILTER_PRIORS = ("nearest", "zero")


def filter_bank(psf: Tensor, lam: Tensor, torus: Torus, scale: int, prior: str) -> Tensor:
    """Spectra of the s*s filters that take y to the polyphase components of the solution, divided by H*W.

        nearest  G = 1 + B (1 - conj(sum B)) / (sum |B|^2 + lam)       scale 1: G = (B + lam) / (|B|^2 + lam)
        zero     G = B / (sum |B|^2 + lam)

    with B the adjoint bank of the psf. G depends on neither the data nor the batch.

    Args:
        psf: (N or 1, C or 1, kh, kw).
        lam: (N or 1, C or 1, 1, 1).
        torus: the coarse grid.
        scale: s.
        prior: 'nearest' or 'zero'.

    Returns:
        (N or 1, C or 1, s*s, H, columns), complex; of a real torus a Pair, see transforms.
    """
    if scale == 1 and not torus.real:
        return torus.as_half(inverse_filter(psf, lam, torus, prior).unsqueeze(-3))
    bank, dim = torus.adjoint_bank(psf, scale), torus.component_dim
    gain = squared_modulus(bank).sum(dim, keepdim=True) + torus.per_channel(lam)
    if prior == "nearest":
        filters = 1 / torus.cells + bank * ((1 - bank.sum(dim, keepdim=True).conj()) / (gain * torus.cells))
    else:
        filters = bank / (gain * torus.cells)
    return torus.as_half(filters)


def inverse_filter(psf: Tensor, lam: Tensor, torus: Torus, prior: str) -> Tensor:
    """The filter of scale 1: (B + lam) / ((|B|^2 + lam) H W) for 'nearest', B / ((|B|^2 + lam) H W) for 'zero'.

    B = conj(otf). Same result as `inverse_filter_plain`, in few passes over real matrices: real and imaginary parts
    are kept apart.

    Args:
        psf: (N or 1, C or 1, kh, kw).
        lam: (N or 1, C or 1, 1, 1).

    Returns:
        (N or 1, C or 1, H, columns), complex.
    """
    if torus.plain:
        return inverse_filter_plain(psf, lam, torus, prior)
    return _InverseFilter.apply(psf, lam, torus, prior)


def inverse_filter_plain(psf: Tensor, lam: Tensor, torus: Torus, prior: str) -> Tensor:
    """inverse_filter in plain operations: for its second derivatives, for recorded graphs, and to test against."""
    bank = torus.adjoint_bank(psf, 1).squeeze(-3)
    gain = squared_modulus(bank) + lam
    numerator = bank + lam if prior == "nearest" else bank
    return numerator / (gain * torus.cells)


class _InverseFilter(torch.autograd.Function):
    """G includes the factor 1 / (H W) without an extra pass: B is the DFT of H W times the psf,

        shift = H W lam (prior 'zero': 0),    floor = (H W)^2 lam,    t = 1 / (|B|^2 + floor),    G = (B + shift) t

    and for a gradient g

        c = Re(conj(g) G) t,    grad_B = g t - 2 c B,    grad_shift = sum(Re(g) t),    grad_floor = -sum(c)

    B is not saved for the backward: few taps rebuild it quickly.
    """  # fmt: skip

    @staticmethod
    def forward(ctx, psf: Tensor, lam: Tensor, torus: Torus, prior: str) -> Tensor:
        ctx.options = torus, prior
        bank = _real_bank(psf, torus)
        ctx.save_for_backward(psf, lam)
        kernels = triton_kernels(bank)
        return (kernels.inverse_filter if kernels else _inverse_filter)(bank, *_shift_and_floor(lam, torus, prior))

    @staticmethod
    def backward(ctx, grad: Tensor):
        psf, lam = ctx.saved_tensors
        torus, prior = ctx.options
        if torch.is_grad_enabled():
            inputs = [x if needed else None for x, needed in zip((psf, lam), ctx.needs_input_grad, strict=False)]
            filters = inverse_filter_plain(psf, lam, torus, prior)
            grads = iter(torch.autograd.grad(filters, [x for x in inputs if x is not None], grad, create_graph=True))
            return *(None if x is None else next(grads) for x in inputs), None, None
        with without_autocast(grad):
            return *_InverseFilter._gradients(grad, psf, lam, _real_bank(psf, torus), torus, prior), None, None

    @staticmethod
    def _gradients(grad, psf, lam, bank, torus, prior) -> tuple[Tensor, Tensor]:
        kernels = triton_kernels(bank)
        elementwise = kernels.inverse_filter_gradients if kernels else _inverse_filter_gradients
        grad_bank, grad_shift, grad_floor = elementwise(grad, bank, *_shift_and_floor(lam, torus, prior))
        rows, cols = _real_dft_matrices(*psf.shape[-2:], torus, psf.dtype, psf.device)
        grad_bank = grad_bank.view(-1, len(rows), torus.columns)
        grad_taps = torch.bmm(rows.mT.expand(len(grad_bank), -1, -1), grad_bank)
        grad_psf = torch.mm(grad_taps.view(-1, len(cols)), cols).view(*grad.shape[:2], *psf.shape[-2:])
        grad_lam = grad_floor * torus.cells**2
        if prior == "nearest":
            grad_lam = torch.add(grad_lam, grad_shift, alpha=torus.cells)
        return grad_psf.sum_to_size(psf.shape), grad_lam.sum_to_size(lam.shape)


def _real_bank(psf: Tensor, torus: Torus) -> Tensor:
    """H W times B, real and imaginary parts apart: (N or 1, C or 1, 2, H, columns)."""
    rows, cols = _real_dft_matrices(*psf.shape[-2:], torus, psf.dtype, psf.device)
    taps = torch.mm(psf.reshape(-1, psf.shape[-1]), cols.mT).view(-1, rows.shape[1], torus.columns)
    return torch.bmm(rows.expand(len(taps), -1, -1), taps).view(*psf.shape[:2], 2, -1, torus.columns)


def _shift_and_floor(lam: Tensor, torus: Torus, prior: str) -> tuple[Tensor, Tensor]:
    return lam * (torus.cells if prior == "nearest" else 0), lam * torus.cells**2


def _inverse_filter(bank: Tensor, shift: Tensor, floor: Tensor) -> Tensor:
    """G (N, C, H, columns) from B."""
    real, imag = bank.unbind(-3)
    t = _inverse_gain(real, imag, floor)
    return torch.complex((real + shift).mul_(t), imag * t)


def _inverse_filter_gradients(grad, bank, shift, floor) -> tuple[Tensor, Tensor, Tensor]:
    """grad_B (N, C, 2, H, columns), grad_shift and grad_floor (N, C, 1, 1); broadcast inputs are not summed yet."""
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
def _real_dft_matrices(
    kh: int, kw: int, torus: Torus, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """thin_dft as real matrices: rows (2H, 2kh) and cols (2 columns, kw), which includes the factor H W.

    The rows of both matrices: all real parts of the result, then all imaginary parts. The columns of the first: real
    and imaginary part of each tap in turn.
    """
    with torch.inference_mode(False), torch.no_grad():  # autograd may need them later
        like = torch.empty(0, dtype=dtype, device=device)
        rows = thin_dft(kh, torus.size[0], torus.size[0], 1, like, plain=False)
        cols = thin_dft(kw, torus.size[1], torus.columns, 1, like, plain=False) * torus.cells
        real, imag = torch.stack([rows.real, -rows.imag], -1), torch.stack([rows.imag, rows.real], -1)
        return torch.cat([real, imag]).flatten(1), torch.cat([cols.real, cols.imag])
