"""The DFT as products of dense real matrices: for a size that is a symbol of a recorded graph.

The matrices are computed in the graph. Exporters reason about shapes, and refuse a graph where they cannot prove that
two of them agree; so no axis of symbolic size is ever merged with another or split here.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .adjoint import tap_positions
from .padding import Margins, pad_by_slices
from .pairs import Pair


@dataclass(frozen=True)
class DenseDFT:
    """The DFT of a torus (H, W); spectra are Pairs (N, C, components, F, W) with F = H//2 + 1."""

    size: tuple[int, int]
    component_dim = -3

    @staticmethod
    def per_channel(values: Tensor) -> Tensor:
        """(N or 1, C or 1, 1, 1), to multiply spectra with components by."""
        return values.unsqueeze(-3)

    def analyse(self, y: Tensor, margins: Margins, mode: str) -> Pair:
        """(N, C, ..., h, w), padded by mode -> its half spectrum (N, C, ..., F, W)."""
        x = pad_by_slices(_flat(y), margins, mode)
        (row_cos, row_sin), (cos, sin) = self._axes(y)
        real, minus_imag = row_cos @ x, row_sin @ x
        parts = real @ cos - minus_imag @ sin, -(minus_imag @ cos + real @ sin)
        return Pair(*(part.reshape(*y.shape[:-2], *part.shape[-2:]) for part in parts))

    def synthesise(self, spectrum: Pair, margins: Margins) -> Tensor:
        """A half spectrum (N, C, S, F, W) -> H*W times the signal (N, C, S, h, w), the margins cropped."""
        real, imag = map(_flat, spectrum)
        (row_cos, row_sin), (cos, sin) = self._axes(real)
        real, imag = real @ cos - imag @ sin, real @ sin + imag @ cos
        height = self._extent(0, real)
        frequency = torch.arange(self.size[0] // 2 + 1, device=real.device)
        once = torch.logical_or(frequency == 0, 2 * frequency == height)
        count = 2 - once.to(real.dtype)  # how often a row occurs in the whole spectrum
        x = (row_cos.transpose(-2, -1) * count) @ real - (row_sin.transpose(-2, -1) * count) @ imag
        return margins.crop(x.reshape(*spectrum.real.shape[:-2], *x.shape[-2:]))

    def adjoint_bank(self, psf: Tensor, scale: int) -> Pair:
        """adjoint.adjoint_bank of psf (N, C, kh, kw): (N, C, s*s, F, W)."""
        rows, cols = (self._thin(axis, psf, scale) for axis in (0, 1))
        banks = []
        for cos, sin in rows:
            real, minus_imag = cos @ psf, sin @ psf
            banks += [
                Pair(
                    real @ c.transpose(-2, -1) - minus_imag @ s.transpose(-2, -1),
                    -(minus_imag @ c.transpose(-2, -1) + real @ s.transpose(-2, -1)),
                )
                for c, s in cols
            ]
        return Pair(*(torch.stack(parts, -3) for parts in zip(*banks, strict=True)))

    def _axes(self, like: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Cosines and sines of the rows (F, H) and the columns (W, W)."""
        rows, cols = (torch.arange(side, device=like.device) for side in self.size)
        frequencies = torch.arange(self.size[0] // 2 + 1, device=like.device)
        return self._circle(frequencies[:, None] * rows, 0, like), self._circle(cols[:, None] * cols, 1, like)

    def _thin(self, axis: int, psf: Tensor, scale: int) -> list[tuple[Tensor, Tensor]]:
        """Cosines and sines (frequencies, taps) of each component; zero at taps of another one."""
        coarse, component = (
            torch.tensor(each, device=psf.device) for each in tap_positions(int(psf.shape[axis - 2]), scale)
        )
        count = self.size[1] if axis else self.size[0] // 2 + 1
        cos, sin = self._circle(torch.arange(count, device=psf.device)[:, None] * coarse, axis, psf)
        if scale == 1:
            return [(cos, sin)]
        members = [(component == i).to(psf.dtype) for i in range(scale)]
        return [(cos * member, sin * member) for member in members]

    def _circle(self, turns: Tensor, axis: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of 2 pi turns / extent, reduced to [-pi, pi] as integers; in float64 where there is one."""
        extent = self._extent(axis, like)
        turns = torch.remainder(turns, extent)
        turns = torch.where(2 * turns > extent, turns - extent, turns)
        precise = torch.float32 if like.device.type == "mps" else torch.float64
        angle = turns.to(precise) * (2 * math.pi / extent.to(precise))
        return angle.cos().to(like.dtype), angle.sin().to(like.dtype)

    def _extent(self, axis: int, like: Tensor) -> Tensor:
        """A side as a tensor (1,): exporters take no symbol as modulus."""
        return torch.arange(self.size[axis], device=like.device)[-1:] + 1


def _flat(x: Tensor) -> Tensor:
    """(N, C, H, W) unchanged, (N, C, S, H, W) -> (N, C*S, H, W)."""
    return x.flatten(1, 2) if x.dim() == 5 else x
