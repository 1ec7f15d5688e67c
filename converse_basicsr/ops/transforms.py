"""Between signals and spectra: pad and transform, invert and crop, each the other's transpose.

Two real samples that meet the same filter share one complex transform, as x1 + i*x2 ("packed"): complex FFTs of half
as many signals are faster than real ones, and nothing need be known of the symmetry of spectra. An odd batch, or one
whose samples have filters of their own, takes real FFTs and half spectra.

All FFTs are unscaled, so that each direction's transpose is the other direction. A half spectrum stands for the whole
one, in gradients too; `stand_for_whole` is where ordinary tensors enter.

While torch.compile or torch.jit.trace record a graph, the same is done by plain operations and their own derivatives.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .borders import NO_MARGINS, Margins, fold_border, pad
from .compiling import is_compiling
from .fft import fft2, ifft2, irfft2, rfft2
from .packing import pack, unpack


@dataclass(frozen=True)
class Torus:
    """The grid of a padded signal, and how signals on it are transformed.

    Args:
        size: (H, W), margins included.
        packed: pairs of samples as complex signals (even batches), or real FFTs.
    """

    size: tuple[int, int]
    packed: bool

    @property
    def cells(self) -> int:
        """H*W."""
        return self.size[0] * self.size[1]

    @property
    def columns(self) -> int:
        """Width of a spectrum."""
        return self.size[1] if self.packed else self.size[1] // 2 + 1

    def analyse(self, y: Tensor, margins: Margins = NO_MARGINS, mode: str = "constant") -> Tensor:
        """(N, ..., h, w), padded by mode to the torus -> spectra (N/2 or N, ..., H, columns)."""
        if is_compiling():
            return _analyse_plain(y, self, margins, mode)
        return _Analyse.apply(y, self, margins, mode)

    def synthesise(self, spectrum: Tensor, margins: Margins = NO_MARGINS) -> Tensor:
        """Spectra -> H*W times the signal (N, ..., h, w), the margins cropped."""
        if is_compiling():
            return _synthesise_plain(spectrum, self, margins)
        return _Synthesise.apply(spectrum, self, margins, "constant")

    def transpose_of_analyse(self, spectrum: Tensor, margins: Margins, mode: str) -> Tensor:
        """Spectra -> H*W times the signal (N, ..., h, w), what stands in the margins added to where it was taken."""
        return _Synthesise.apply(spectrum, self, margins, mode)

    def to_spectrum(self, y: Tensor, margins: Margins, mode: str) -> Tensor:
        """analyse, outside autograd."""
        z = pack(y, self.size, margins, mode, self.packed)
        return fft2(z) if self.packed else rfft2(z)

    def to_signal(self, spectrum: Tensor, margins: Margins, mode: str = "constant") -> Tensor:
        """transpose_of_analyse, outside autograd; with mode 'constant' that is synthesise."""
        x = ifft2(spectrum) if self.packed else irfft2(spectrum, self.size)
        fold_border(x, margins, mode)
        return unpack(x, margins, self.packed)

    def stand_for_whole(self, spectrum: Tensor) -> Tensor:
        """A half spectrum made of ordinary tensors: its gradient counts the mirrored half too."""
        if self.packed or is_compiling():
            return spectrum
        return _StandForWhole.apply(spectrum, self)

    def multiplicity(self, like: Tensor) -> Tensor:
        """(columns,): how often a column of a half spectrum stands in the whole one."""
        count = torch.full((self.columns,), 2.0, dtype=like.real.dtype, device=like.device)
        count[0] = 1
        if self.size[1] % 2 == 0:
            count[-1] = 1
        return count


def _analyse_plain(y: Tensor, torus: Torus, margins: Margins, mode: str) -> Tensor:
    y = pad(y.flatten(1, -3), margins, mode).unflatten(1, y.shape[1:-2])
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


class _StandForWhole(torch.autograd.Function):
    """From an ordinary tensor to one that stands for the whole; its transpose counts the mirrored half."""

    @staticmethod
    def forward(ctx, spectrum: Tensor, torus: Torus) -> Tensor:
        ctx.torus = torus
        return spectrum.view_as(spectrum)

    @staticmethod
    def backward(ctx, grad: Tensor):
        return _CountWhole.apply(grad, ctx.torus), None


class _CountWhole(torch.autograd.Function):
    @staticmethod
    def forward(ctx, grad: Tensor, torus: Torus) -> Tensor:
        ctx.torus = torus
        return grad * torus.multiplicity(grad)

    @staticmethod
    def backward(ctx, grad: Tensor):
        return _StandForWhole.apply(grad, ctx.torus), None
