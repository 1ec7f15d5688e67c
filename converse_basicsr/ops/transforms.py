"""Between signals and spectra: pad and transform, invert and crop. Each direction is the other's transpose.

Two real samples that share a filter share one complex transform, as x1 + i*x2 ("packed"): complex FFTs of half as many
signals are faster than real ones, and no symmetry of spectra has to be handled. An odd batch, or one with a filter per
sample, takes real FFTs and half spectra.

Where complex numbers or FFTs are missing (ONNX, some devices) the same is computed by real matrices ("real"): spectra
are Pairs of real tensors then, see real_dft.py and, for symbolic sizes, real_dense.py.

All FFTs are unscaled, so that each direction's transpose is the other direction. A half spectrum represents the whole
one, also in gradients; `Torus.as_half` converts an ordinary tensor.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .adjoint import adjoint_bank
from .dispatch import triton_kernels
from .fft import fft2, ifft2, irfft2, rfft2
from .padding import NO_MARGINS, Margins, fill_border, fold_border, pad
from .pairs import Pair
from .real_dense import DenseDFT
from .real_dft import RealDFT


@dataclass(frozen=True)
class Torus:
    """The grid of a padded signal, and how signals on it are transformed.

    Args:
        size: (H, W), margins included.
        packed: pairs of samples as complex signals (even batches), or real FFTs.
        plain: use plain torch operations and their own derivatives (see dispatch.needs_plain_operations).
        real: use real_dft.py, with plain operations (see dispatch.needs_real_transforms).
    """

    size: tuple[int, int]
    packed: bool
    plain: bool = False
    real: bool = False

    @property
    def cells(self) -> int:
        """H*W."""
        return self.size[0] * self.size[1]

    @property
    def columns(self) -> int:
        """Width of a spectrum."""
        return self.size[1] if self.packed else self.size[1] // 2 + 1

    @property
    def dft(self) -> RealDFT | DenseDFT:
        """Of a real torus; dense if its size is not a number but a symbol of a recorded graph."""
        return (RealDFT if all(isinstance(side, int) for side in self.size) else DenseDFT)(self.size)

    @property
    def component_dim(self) -> int:
        """The axis of the components (of a bank, of polyphase signals) in a spectrum."""
        return self.dft.component_dim if self.real else -3

    def per_channel(self, values: Tensor) -> Tensor:
        """(N or 1, C or 1, 1, 1), to multiply spectra with components by."""
        return self.dft.per_channel(values) if self.real else values.unsqueeze(-3)

    def adjoint_bank(self, psf: Tensor, scale: int) -> Tensor | Pair:
        """adjoint.adjoint_bank, as spectra of this torus."""
        if self.real:
            return self.dft.adjoint_bank(psf, scale)
        return adjoint_bank(psf, self.size, scale, self.columns, self.plain)

    def analyse(self, y: Tensor, margins: Margins | None = None, mode: str = "constant") -> Tensor | Pair:
        """(N, C, ..., h, w), padded by mode to the torus -> spectra (N/2 or N, C, ..., H, columns)."""
        margins = margins or NO_MARGINS  # torch.compile of torch 2.7 refuses NO_MARGINS as a default
        if self.real:
            return self.dft.analyse(y, margins, mode)
        if self.plain:
            return _analyse_plain(y, self, margins, mode)
        return _Analyse.apply(y, self, margins, mode)

    def synthesise(self, spectrum: Tensor | Pair, margins: Margins | None = None) -> Tensor:
        """Spectra -> H*W times the signal (N, C, ..., h, w), the margins cropped."""
        margins = margins or NO_MARGINS
        if self.real:
            return self.dft.synthesise(spectrum, margins)
        if self.plain:
            return _synthesise_plain(spectrum, self, margins)
        return _Synthesise.apply(spectrum, self, margins, "constant")

    def transpose_of_analyse(self, spectrum: Tensor, margins: Margins, mode: str) -> Tensor:
        """Spectra -> H*W times the signal (N, ..., h, w); margins are added to the samples they were copied from."""
        return _Synthesise.apply(spectrum, self, margins, mode)

    def to_spectrum(self, y: Tensor, margins: Margins, mode: str) -> Tensor:
        """analyse without autograd."""
        z = pack(y, self.size, margins, mode, self.packed)
        return fft2(z) if self.packed else rfft2(z)

    def to_signal(self, spectrum: Tensor, margins: Margins, mode: str = "constant") -> Tensor:
        """transpose_of_analyse without autograd; with mode 'constant' that is synthesise."""
        x = ifft2(spectrum) if self.packed else irfft2(spectrum, self.size)
        fold_border(x, margins, mode)
        return unpack(x, margins, self.packed)

    def as_half(self, spectrum: Tensor) -> Tensor:
        """Mark a spectrum computed by ordinary operations as half: its gradient then counts the mirrored half too."""
        if self.packed or self.plain:
            return spectrum
        return _AsHalf.apply(spectrum, self)

    def multiplicity(self, like: Tensor) -> Tensor:
        """(columns,): how often each column of a half spectrum occurs in the whole one."""
        count = torch.full((self.columns,), 2.0, dtype=like.real.dtype, device=like.device)
        count[0] = 1
        if self.size[1] % 2 == 0:
            count[-1] = 1
        return count


def pack(
    y: Tensor, size: tuple[int, int], margins: Margins, mode: str, packed: bool, exchanged: bool = False
) -> Tensor:
    """(N, ..., h, w), padded by mode to size (H, W): real (N, ..., H, W), or pairs as complex (N/2, ..., H, W).

    Args:
        exchanged: pairs as x2 + i*x1 (plain torch only; the Triton kernels conjugate in registers instead).
    """
    if not (packed or any(margins)):
        return y
    if (kernels := triton_kernels(y)) and not exchanged:
        return kernels.pack(y, size, margins, mode, packed)
    create = y.new_zeros if mode == "constant" else y.new_empty
    if packed:
        real, imag = reversed(y.chunk(2)) if exchanged else y.chunk(2)
        z = create(*real.shape[:-2], *size, dtype=y.dtype.to_complex())
        torch.complex(real, imag, out=margins.crop(z))
    else:
        z = create(*y.shape[:-2], *size)
        margins.crop(z).copy_(y)
    fill_border(z, margins, mode)
    return z


def unpack(z: Tensor, margins: Margins, packed: bool, exchanged: bool = False) -> Tensor:
    """(N or N/2, ..., H, W), margins cropped: real (N, ..., h, w)."""
    if not (packed or any(margins)):
        return z.contiguous()
    if (kernels := triton_kernels(z)) and not exchanged:
        return kernels.unpack(z, margins, packed)
    z = margins.crop(z)
    if not packed:
        return z.contiguous()
    return torch.cat((z.imag, z.real) if exchanged else (z.real, z.imag))


def _analyse_plain(y: Tensor, torus: Torus, margins: Margins, mode: str) -> Tensor:
    y = pad(y.flatten(1, -3), margins, mode, plain=True).unflatten(1, y.shape[1:-2])
    return torch.fft.fft2(torch.complex(*y.chunk(2))) if torus.packed else torch.fft.rfft2(y)


def _synthesise_plain(spectrum: Tensor, torus: Torus, margins: Margins) -> Tensor:
    if torus.packed:
        x = torch.fft.ifft2(spectrum, norm="forward")
        x = torch.cat([x.real, x.imag])
    else:
        x = torch.fft.irfft2(spectrum, s=torus.size, norm="forward")
    return margins.crop(x)


class _Analyse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y: Tensor, torus: Torus, margins: Margins, mode: str) -> Tensor:
        ctx.options = torus, margins, mode
        return torus.to_spectrum(y, margins, mode)

    @staticmethod
    def backward(ctx, grad: Tensor):
        return _Synthesise.apply(grad, *ctx.options), None, None, None


class _Synthesise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, spectrum: Tensor, torus: Torus, margins: Margins, mode: str) -> Tensor:
        ctx.options = torus, margins, mode
        return torus.to_signal(spectrum, margins, mode)

    @staticmethod
    def backward(ctx, grad: Tensor):
        return _Analyse.apply(grad, *ctx.options), None, None, None


class _AsHalf(torch.autograd.Function):
    """The identity; its transpose counts the mirrored half."""

    @staticmethod
    def forward(ctx, spectrum: Tensor, torus: Torus) -> Tensor:
        ctx.torus = torus
        return spectrum.view_as(spectrum)

    @staticmethod
    def backward(ctx, grad: Tensor):
        return _CountMirrored.apply(grad, ctx.torus), None


class _CountMirrored(torch.autograd.Function):
    @staticmethod
    def forward(ctx, grad: Tensor, torus: Torus) -> Tensor:
        ctx.torus = torus
        return grad * torus.multiplicity(grad)

    @staticmethod
    def backward(ctx, grad: Tensor):
        return _AsHalf.apply(grad, ctx.torus), None
