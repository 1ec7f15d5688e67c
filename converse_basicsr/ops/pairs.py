"""Complex arrays as pairs of real ones, for what has no complex numbers: ONNX, and some devices."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Pair(NamedTuple):
    """Real and imaginary part, with the arithmetic of complex tensors that spectra need."""

    real: Tensor
    imag: Tensor

    def __add__(self, other: Pair | Tensor | float) -> Pair:
        if isinstance(other, Pair):
            return Pair(self.real + other.real, self.imag + other.imag)
        return Pair(self.real + other, self.imag)

    __radd__ = __add__

    def __neg__(self) -> Pair:
        return Pair(-self.real, -self.imag)

    def __sub__(self, other: Pair | Tensor | float) -> Pair:
        return self + (-other)

    def __rsub__(self, other: Tensor | float) -> Pair:
        return -self + other

    def __mul__(self, other: Pair | Tensor | float) -> Pair:
        if isinstance(other, Pair):
            real = self.real * other.real - self.imag * other.imag
            return Pair(real, self.real * other.imag + self.imag * other.real)
        return Pair(self.real * other, self.imag * other)

    __rmul__ = __mul__

    def __truediv__(self, other: Tensor | float) -> Pair:
        return Pair(self.real / other, self.imag / other)

    def conj(self) -> Pair:
        return Pair(self.real, -self.imag)

    def sum(self, dim: int, keepdim: bool = False) -> Pair:
        return Pair(self.real.sum(dim, keepdim=keepdim), self.imag.sum(dim, keepdim=keepdim))

    def unsqueeze(self, dim: int) -> Pair:
        return Pair(self.real.unsqueeze(dim), self.imag.unsqueeze(dim))
