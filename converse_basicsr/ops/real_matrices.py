"""The real matrices of real_dft.py: constants of a fixed size, or computed from a symbolic size in a recorded graph.

The same formulas serve numpy (fixed sizes: float64, cached) and torch (symbolic sizes). Angles are reduced as integers,
so that they are exact. A complex factor c + i*s is the real block [[c, -s], [s, c]]; `j` names the axes of real and
imaginary part.
"""

import math
from functools import lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .adjoint import tap_positions

Array = Any  # of numpy or torch
PASS_COST = 32  # multiply-adds per sample that take as long as one more pass over the data


class Factors(NamedTuple):
    """An extent as first * second; a DFT then takes two matrix products, with first + second terms."""

    first: int
    second: int

    @property
    def extent(self) -> int:
        return self.first * self.second


def factorise(extent: int, real: bool) -> Factors:
    """The cheaper of one dense product and two small ones; dense for a symbolic or prime extent.

    Args:
        extent: of the axis.
        real: whether the input is real: then the second product is on complex numbers, and costs twice the first.
    """
    best, cost = Factors(extent, 1), extent
    if isinstance(extent, int):
        for second in range(2, extent // 2 + 1):
            other = extent // second + (2 if real else 1) * second + PASS_COST
            if extent % second == 0 and other < cost:
                best, cost = Factors(extent // second, second), other
    return best


class AxisMatrices(NamedTuple):
    """To spectra (first, second) and back (second, first); the second ones are None for a dense product."""

    to_first: Any
    to_second: Any
    from_second: Any
    from_first: Any


def real_axis(factors: Factors, like: Tensor) -> AxisMatrices:
    """A real axis: n = N2*n1 + n2 to the half spectrum k = k1 + N1*k2, 0 <= k1 <= N1/2.

    to_first (2*K1, N1) from n1 to (k1, j); to_second (K1, 2*N2, 2*N2) from (j, n2) to (k2, j); from_second and
    from_first are their transposes, with the multiplicity of k1 in the whole spectrum.
    """
    return _finish(_real_axis, factors, like)


def complex_axis(factors: Factors, like: Tensor) -> AxisMatrices:
    """A complex axis: m = M2*m1 + m2 to q = q1 + M1*q2.

    to_first (2*M1, 2*M1) from (j, m1) to (q1, j); to_second (2, M1, M2, 2*M2) from (j, m2) to q2, real part and
    imaginary part apart; from_second (M1, 2*M2, 2*M2) from (j, q2) to (j, m2); from_first (2*M1, 2*M1) from (q1, j) to
    (j, m1). Dense: to_first (2, M, 2*M), real and imaginary part apart, from_first (2*M, 2*M) from (j, q) to (j, m).
    """
    return _finish(_complex_axis, factors, like)


def thin_matrices(taps: tuple[int, int], factors: tuple[Factors, Factors], scale: int, like: Tensor) -> list[Tensor]:
    """adjoint.thin_dft for both axes of a psf (kh, kw), as real matrices.

    Returns:
        rows (s*F*2, kh) from a tap to (component, frequency, j); columns, real and imaginary part apart, each
        (s*G, 2*kw) from (j, tap) to (component, frequency).
    """
    rows, cols = (
        _thin(count, each, scale, half, like) for count, each, half in zip(taps, factors, (1, 0), strict=True)
    )
    return [rows, *cols]


def _finish(build, factors: Factors, like: Tensor) -> AxisMatrices:
    if isinstance(factors.first, int):
        return AxisMatrices(*(None if x is None else _constant(x, like) for x in _cached(build, factors)))
    return AxisMatrices(*build(factors, _Symbolic(factors.first, like)))


def _constant(matrix: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(matrix).to(like.device, like.dtype)


@lru_cache(maxsize=64)
def _cached(build, factors: Factors, *arguments) -> tuple:
    return tuple(None if x is None else np.ascontiguousarray(x) for x in build(factors, _Fixed(), *arguments))


class _Fixed:
    """Integers and cosines by numpy."""

    module: ModuleType = np

    @staticmethod
    def indices(count: int) -> np.ndarray:
        return np.arange(count)

    @staticmethod
    def array(values: list[int]) -> np.ndarray:
        return np.array(values)

    @staticmethod
    def circle(turns: np.ndarray, extent: int) -> tuple[np.ndarray, np.ndarray]:
        """Cosine and sine of 2 pi turns / extent."""
        angle = (turns % extent) * (2 * math.pi / extent)
        return np.cos(angle), np.sin(angle)


class _Symbolic:
    """The same by torch, for an extent that is a symbol. Exporters want no symbol as modulus, but a tensor."""

    module: ModuleType = torch

    def __init__(self, extent: int, like: Tensor):
        self.like = like
        self.extent = self.indices(extent)[-1:] + 1

    def indices(self, count: int) -> Tensor:
        return torch.arange(count, device=self.like.device)

    def array(self, values: list[int]) -> Tensor:
        return torch.tensor(values, device=self.like.device)

    def circle(self, turns: Tensor, extent: int) -> tuple[Tensor, Tensor]:
        turns = torch.remainder(turns, self.extent)
        turns = torch.where(2 * turns > self.extent, turns - self.extent, turns)  # small angles are more accurate
        angle = turns.to(self.like.dtype) * (2 * math.pi / self.extent.to(self.like.dtype))
        return torch.cos(angle), torch.sin(angle)


def _real_axis(factors: Factors, numbers) -> tuple:
    (n_1, n_2), stack = factors, numbers.module.stack
    half = n_1 // 2 + 1
    k_1, n = numbers.indices(half), numbers.indices(n_1)
    cos, sin = numbers.circle(k_1[:, None] * n, n_1)
    forward = stack([cos, -sin], 1).reshape(2 * half, n_1)
    once = (k_1 == 0) | (2 * k_1 == n[-1:] + 1)
    count = numbers.module.where(once, k_1 * 0 + 1, k_1 * 0 + 2)
    backward = (stack([cos, -sin], 1) * count[:, None, None]).reshape(2 * half, n_1).swapaxes(0, 1)
    if n_2 == 1:
        return forward, None, None, backward
    k = k_1[:, None] + n_1 * numbers.indices(n_2)
    cos, sin = numbers.circle(k[..., None] * numbers.indices(n_2), factors.extent)  # k1, k2, n2
    to_second = _block(cos, -sin, stack).transpose(0, 1, 3, 4, 2)  # k1, k2, j', j, n2
    from_second = _block(cos, sin, stack).transpose(0, 3, 2, 1, 4)  # k1, j', n2, k2, j
    square = (half, 2 * n_2, 2 * n_2)
    return forward, to_second.reshape(square), from_second.reshape(square), backward


def _complex_axis(factors: Factors, numbers) -> tuple:
    (m_1, m_2), stack = factors, numbers.module.stack
    q_1 = numbers.indices(m_1)
    cos, sin = numbers.circle(q_1[:, None] * q_1, m_1)  # q1, m1; or m1, q1
    forward, backward = _block(cos, -sin, stack), _block(cos, sin, stack)  # .., .., j', j
    if m_2 == 1:
        forward = numbers.module.moveaxis(forward, (2, 0, 3, 1), (0, 1, 2, 3)).reshape(2, m_1, 2 * m_1)  # j', q, j, m
        backward = numbers.module.moveaxis(backward, (2, 0, 3, 1), (0, 1, 2, 3)).reshape(2 * m_1, 2 * m_1)
        return forward, None, None, backward
    forward = forward.transpose(0, 2, 3, 1).reshape(2 * m_1, 2 * m_1)  # q1, j', j, m1
    backward = backward.transpose(2, 0, 1, 3).reshape(2 * m_1, 2 * m_1)  # j', m1, q1, j
    m = numbers.indices(m_2)
    q = q_1[:, None] + m_1 * m
    cos, sin = numbers.circle(q[..., None] * m, factors.extent)  # q1, q2, m2
    to_second = _block(cos, -sin, stack).transpose(3, 0, 1, 4, 2).reshape(2, m_1, m_2, 2 * m_2)  # j', q1, q2, j, m2
    from_second = _block(cos, sin, stack).transpose(0, 3, 2, 4, 1)  # q1, j', m2, j, q2
    return forward, to_second, from_second.reshape(m_1, 2 * m_2, 2 * m_2), backward


def _block(real: Array, imag: Array, stack) -> Array:
    """A complex factor as a real block: axes j' (of the result) and j (of the operand) at the end."""
    return stack([stack([real, -imag], -1), stack([imag, real], -1)], -2)


def _thin(taps: int, factors: Factors, scale: int, half: int, like: Tensor):
    build = _thin_rows if half else _thin_columns
    if isinstance(factors.first, int):
        found = [_constant(x, like) for x in _cached(build, factors, taps, scale)]
    else:
        found = build(factors, _Symbolic(factors.first, like), taps, scale)
    return found[0] if half else found


def _thin_rows(factors: Factors, numbers, taps: int, scale: int) -> tuple:
    cos, sin = _thin_circle(factors, factors.first // 2 + 1, numbers, taps, scale)  # component, frequency, tap
    return (numbers.module.stack([cos, -sin], 2).reshape(-1, taps),)


def _thin_columns(factors: Factors, numbers, taps: int, scale: int) -> tuple:
    cos, sin = _thin_circle(factors, factors.first, numbers, taps, scale)
    stack = numbers.module.stack
    return tuple(stack(parts, 2).reshape(-1, 2 * taps) for parts in ([cos, sin], [-sin, cos]))


def _thin_circle(factors: Factors, first: int, numbers, taps: int, scale: int) -> tuple[Array, Array]:
    coarse, component = map(numbers.array, tap_positions(taps, scale))
    member = component == numbers.indices(scale)[:, None]
    frequencies = numbers.indices(first)
    if factors.second > 1:
        frequencies = (frequencies[:, None] + factors.first * numbers.indices(factors.second)).reshape(-1)
    cos, sin = numbers.circle(frequencies[:, None] * coarse, factors.extent)
    return cos * member[:, None], sin * member[:, None]
