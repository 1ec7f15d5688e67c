"""The psf and lam that Converse2D starts from, so that it continues what the replaced layer did.

For psf = tau D, the solution is the prior plus D times a fraction. With the spectra D_ij of D (its adjoint bank) and
sigma = conj(sum D_ij):

    prior + D * tau (1 - tau sigma) / (tau^2 sum |D_ij|^2 + lam)

The fraction is 1 where tau^2 q - tau + lam = 0, with q = sum |D_ij|^2 + sigma. So with D = W - prior the layer is the
transposed convolution with W: exactly if q is the same at all frequencies, as for taps that stay in their s x s block,
and nearly if lam q is small.
"""

import torch
from torch import Tensor

from ..layers.converse2d import Converse2D
from ..ops.adjoint import adjoint_bank, squared_modulus
from .unsuitable import Unsuitable

MAX_LAM = 0.5  # sigmoid is steepest there, so lam learns well
FLATNESS = 1 / 36  # lam |q| stays below it: the start of larger psfs differs by up to about as much
STEPS = 3  # of the refinement


@torch.no_grad()
def start_as_nearest(up: Converse2D) -> None:
    """Nearest upsampling, for any lam: a psf of sum 1 that reads samples of its own block only.

    The taps are a softmax of standard normal samples, as the paper's; taps that reach another block start at zero.
    """
    k, (_, own) = up.kernel_size, _own_block(up)
    logits = torch.randn_like(up.weight).masked_fill(~own.to(up.weight.device), -torch.inf)
    up.weight.copy_(logits.flatten(2).softmax(-1).unflatten(-1, (k, k)))


@torch.no_grad()
def start_as_prior(up: Converse2D) -> None:
    """The prior itself: a psf of zeros, from which training adds to the prior."""
    up.weight.zero_()
    _set_lam(up, torch.full_like(up.bias, MAX_LAM))


@torch.no_grad()
def start_as_kernel(up: Converse2D, kernel: Tensor, origin: int) -> None:
    """A transposed convolution with stride s.

    Args:
        up: a Converse2D with the prior 'nearest', changed in place.
        kernel: (C, kh, kw): tap u of it is added at s*i + u - origin for input sample i.
        origin: the padding of nn.ConvTranspose2d.

    Raises:
        Unsuitable: the kernel does not fit into the psf, or its values are too large for lam above eps.
    """
    is_covered, own = _own_block(up)
    if not is_covered:
        raise Unsuitable(f"a psf of {up.kernel_size} does not cover a block of {up.scale} x {up.scale}")
    kernel = kernel.cpu().double()  # float64 is not available on every device
    difference = (_as_psf(kernel, up.kernel_size, origin) - own.double())[None]
    bank = _spectra(difference, up.scale)
    q = squared_modulus(bank).sum(-3) + bank.sum(-3).conj()  # (1, C, frequencies)
    mean, largest = q.real.mean((-2, -1), keepdim=True), q.abs().amax((-2, -1), keepdim=True)
    lam = (FLATNESS / largest).clamp(max=MAX_LAM)
    if not (lam > up.eps).all():
        raise Unsuitable(f"its weights are too large: lam would have to be below eps ({up.eps})")
    tau = 2 * lam / (1 + (1 - 4 * lam * mean).sqrt())
    up.weight.copy_(_refine(tau * difference, difference, tau, lam, up.scale))
    _set_lam(up, lam)


def _refine(psf: Tensor, difference: Tensor, tau: Tensor, lam: Tensor, scale: int) -> Tensor:
    """Fixed-point steps until the taps inside the psf are those of the difference; what lies outside remains."""
    for _ in range(STEPS):
        bank = _spectra(psf, scale)
        gain = squared_modulus(bank).sum(-3, keepdim=True) + lam.unsqueeze(-3)
        fraction = (1 - bank.sum(-3, keepdim=True).conj()) / gain
        psf = psf + tau * (difference - _taps(bank * fraction, psf, scale))
    return psf


def _taps(spectra: Tensor, like: Tensor, scale: int) -> Tensor:
    """The taps of a filter at the places of a psf: adjoint_bank's transpose, over the number of frequencies."""
    taps = torch.zeros_like(like, requires_grad=True)
    with torch.enable_grad():
        bank = _spectra(taps, scale)
        product = (bank.real * spectra.real + bank.imag * spectra.imag).sum()
    return torch.autograd.grad(product, taps)[0] / bank.shape[-1] ** 2


def _spectra(psf: Tensor, scale: int) -> Tensor:
    """The adjoint bank on a torus that is large beside the psf: (1, C, s*s, side, side)."""
    side = max(16, 3 * psf.shape[-1])
    return adjoint_bank(psf, (side, side), scale, side, plain=True)


def needed_size(kernel_size: int, origin: int, scale: int) -> int:
    """The smallest psf that holds such a kernel of a transposed convolution, and a whole block."""
    after, before = max(kernel_size - 1 - origin, scale - 1), origin
    k = 1
    while k // 2 < after or k - 1 - k // 2 < before:
        k += 1
    return k


def _as_psf(kernel: Tensor, k: int, origin: int) -> Tensor:
    """(C, kh, kw) -> (C, k, k), mirrored, tap `origin` at the centre k//2."""
    centre = k // 2
    psf = kernel.new_zeros(kernel.shape[0], k, k)
    rows, columns = (centre + origin - torch.arange(side) for side in kernel.shape[1:])
    if min(rows.min(), columns.min()) < 0 or max(rows.max(), columns.max()) >= k:
        raise Unsuitable(f"a psf of {k} cannot hold its kernel of {kernel.shape[1]} x {kernel.shape[2]}")
    psf[:, rows[:, None], columns] = kernel
    return psf


def _own_block(up: Converse2D) -> tuple[bool, Tensor]:
    """Whether the psf covers the whole s x s block of a sample, and (k, k), True at the taps that lie in the block."""
    offset = up.kernel_size // 2 - torch.arange(up.kernel_size)
    inside = (offset >= 0) & (offset < up.scale)
    return int(inside.sum()) == up.scale, inside[:, None] & inside


def _set_lam(up: Converse2D, lam: Tensor) -> None:
    up.bias.copy_(9.0 + torch.logit(lam.cpu().double() - up.eps))
