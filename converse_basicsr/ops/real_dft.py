"""The DFT of two axes as products of real matrices: for what has no complex numbers, or no good FFT.

Signals are (N, H, W, C) here: with the channels last, both axes are multiplied from the left, and nothing is
transposed. The half spectrum is that of the rows: (N, F, G, C) with F about H/2 and G = W, as a Pair. The order of
the frequencies is that of the factors (real_matrices.py), so it is private to this file: filters are built in it.

A side that is a product takes two small matrix products (Cooley and Tukey's algorithm, with the twiddle factors in the
second), a prime or symbolic side one dense one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .pairs import Pair
from .real_matrices import Factors, complex_axis, factorise, real_axis, thin_matrices


@dataclass(frozen=True)
class RealDFT:
    """The DFT of a torus.

    Args:
        size: (H, W), integers or symbols of a recorded graph.
    """

    size: tuple[int, int]

    @property
    def factors(self) -> tuple[Factors, Factors]:
        return factorise(self.size[0], real=True), factorise(self.size[1], real=False)

    def forward(self, y: Tensor) -> Pair:
        """(N, H, W, C) -> its half spectrum (N, F, G, C)."""
        n, _, width, c = y.shape
        (n_1, n_2), (m_1, m_2) = self.factors
        half = n_1 // 2 + 1
        rows, cols = real_axis(Factors(n_1, n_2), y), complex_axis(Factors(m_1, m_2), y)
        x = rows.to_first @ y.reshape(n, n_1, n_2 * width * c)
        if n_2 > 1:
            x = rows.to_second @ x.reshape(n, half, 2 * n_2, width * c)
        if m_2 == 1:
            x = x.reshape(n, half * n_2, 2 * m_1, c)
            return Pair(*(matrix @ x for matrix in cols.to_first))
        x = cols.to_first @ x.reshape(n, half * n_2, 2 * m_1, m_2 * c)
        x = x.reshape(n, half * n_2, m_1, 2 * m_2, c)
        return Pair(*((matrix @ x).reshape(n, half * n_2, width, c) for matrix in cols.to_second))

    def inverse(self, spectrum: Pair) -> Tensor:
        """A half spectrum (N, F, G, C) -> H*W times the signal (N, H, W, C)."""
        n, _, width, c = spectrum.real.shape
        (n_1, n_2), (m_1, m_2) = self.factors
        half = n_1 // 2 + 1
        rows, cols = (
            axis(each, spectrum.real) for axis, each in zip((real_axis, complex_axis), self.factors, strict=True)
        )
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

    def adjoint_bank(self, psf: Tensor, scale: int) -> Pair:
        """adjoint.adjoint_bank of psf (N, C, kh, kw) in this form: (N, F, G, C, s*s)."""
        n, c, kh, kw = psf.shape
        rows, *cols = thin_matrices((kh, kw), self.factors, scale, psf)
        x = rows @ psf.permute(0, 2, 3, 1).reshape(n, kh, kw * c)
        x = x.reshape(n, scale, -1, 2 * kw, c)
        parts = ((matrix @ x).reshape(n, scale, x.shape[2], scale, -1, c) for matrix in cols)
        return Pair(*(part.permute(0, 2, 4, 5, 1, 3).flatten(4) for part in parts))
