"""The DFT as products of real matrices: for what has no complex numbers, or no good FFT.

Signals are (N, H, W, C) here: with the channels last, both axes are multiplied from the left, and no spectrum is
transposed. The half spectrum is that of the rows: (N, F, G, C) with F about H/2 and G = W, as a Pair. The order of the
frequencies is that of the factors (real_matrices.py), so it is private to this file: filters are built in it.

A side that is a product takes two small matrix products (Cooley and Tukey's algorithm, with the twiddle factors in the
second), a prime side one dense product.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .padding import Margins, pad_by_slices
from .pairs import Pair
from .real_matrices import Factors, complex_axis, factorise, real_axis, thin_columns, thin_rows


@dataclass(frozen=True)
class RealDFT:
    """The DFT of a torus (H, W); spectra are Pairs (N, F, G, C, components)."""

    size: tuple[int, int]
    component_dim = -1

    @property
    def factors(self) -> tuple[Factors, Factors]:
        return factorise(self.size[0], real=True), factorise(self.size[1], real=False)

    @staticmethod
    def per_channel(values: Tensor) -> Tensor:
        """(N or 1, C or 1, 1, 1), to multiply spectra with components by."""
        return values.permute(0, 2, 3, 1).unsqueeze(-1)

    def analyse(self, y: Tensor, margins: Margins, mode: str) -> Pair:
        """(N, C, h, w) or polyphase (N, C, S, h, w), padded by mode -> its half spectrum (N, F, G, C) or with S."""
        x = pad_by_slices(y.flatten(1, -3).permute(0, 2, 3, 1), margins, mode, (1, 2))
        spectrum = self._forward(x)
        return Pair(*(part.unflatten(3, y.shape[1:-2]) for part in spectrum)) if y.dim() > 4 else spectrum

    def synthesise(self, spectrum: Pair, margins: Margins) -> Tensor:
        """A half spectrum (N, F, G, C, S) -> H*W times the signal (N, C, S, h, w), the margins cropped."""
        x = self._inverse(Pair(*(part.flatten(3) for part in spectrum)))
        return margins.crop(x.permute(0, 3, 1, 2)).unflatten(1, spectrum.real.shape[3:])

    def adjoint_bank(self, psf: Tensor, scale: int) -> Pair:
        """adjoint.adjoint_bank of psf (N, C, kh, kw): (N, F, G, C, s*s)."""
        n, c, kh, kw = psf.shape
        rows = thin_rows(self.factors[0], kh, scale, psf)
        x = rows @ psf.permute(0, 2, 3, 1).reshape(n, kh, kw * c)
        x = x.reshape(n, scale, -1, 2 * kw, c)
        columns = thin_columns(self.factors[1], kw, scale, psf)
        parts = ((matrix @ x).reshape(n, scale, x.shape[2], scale, -1, c) for matrix in columns)
        return Pair(*(part.permute(0, 2, 4, 5, 1, 3).flatten(4) for part in parts))

    def _forward(self, y: Tensor) -> Pair:
        """(N, H, W, C) -> its half spectrum (N, F, G, C)."""
        n, _, width, c = y.shape
        (n_1, n_2), (m_1, m_2) = self.factors
        half = n_1 // 2 + 1
        rows, cols = real_axis(self.factors[0], y), complex_axis(self.factors[1], y)
        x = rows.to_first @ y.reshape(n, n_1, n_2 * width * c)
        if n_2 > 1:
            x = rows.to_second @ x.reshape(n, half, 2 * n_2, width * c)
        if m_2 == 1:
            x = x.reshape(n, half * n_2, 2 * m_1, c)
            return Pair(*(matrix @ x for matrix in cols.to_first))
        x = cols.to_first @ x.reshape(n, half * n_2, 2 * m_1, m_2 * c)
        x = x.reshape(n, half * n_2, m_1, 2 * m_2, c)
        return Pair(*((matrix @ x).reshape(n, half * n_2, width, c) for matrix in cols.to_second))

    def _inverse(self, spectrum: Pair) -> Tensor:
        """A half spectrum (N, F, G, C) -> H*W times the signal (N, H, W, C)."""
        n, _, width, c = spectrum.real.shape
        (n_1, n_2), (m_1, m_2) = self.factors
        half = n_1 // 2 + 1
        rows, cols = real_axis(self.factors[0], spectrum.real), complex_axis(self.factors[1], spectrum.real)
        if m_2 == 1:
            x = cols.from_first @ torch.cat(spectrum, 2)
        else:
            parts = [part.reshape(n, half * n_2, m_1, m_2, c) for part in spectrum]
            x = cols.from_second @ torch.cat(parts, 3)
            x = cols.from_first @ x.reshape(n, half * n_2, 2 * m_1, m_2 * c)
        if n_2 > 1:
            x = rows.from_second @ x.reshape(n, half, 2 * n_2, width * c)
        x = rows.from_first @ x.reshape(n, 2 * half, n_2 * width * c)
        return x.reshape(n, *self.size, c)
