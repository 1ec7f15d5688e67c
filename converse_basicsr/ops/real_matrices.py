"""The constant matrices of real_dft.py. Angles are reduced as integers, so that they are exact.

A complex factor c + i*s is the real block [[c, -s], [s, c]]; `j` names the axes of real and imaginary part.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .adjoint import tap_positions

PASS_COST = 32  # multiply-adds per sample that take as long as one more pass over the data


class Factors(NamedTuple):
    """An extent as first * second; a DFT then takes two matrix products, with first + second terms."""

    first: int
    second: int

    @property
    def extent(self) -> int:
        return self.first * self.second


class AxisMatrices(NamedTuple):
    """To spectra (first, second) and back (second, first); the second ones are None for a dense product."""

    to_first: Tensor
    to_second: Tensor | None
    from_second: Tensor | None
    from_first: Tensor


@lru_cache(maxsize=256)
def factorise(extent: int, real: bool) -> Factors:
    """The cheaper of one dense product and two small ones.

    Args:
        extent: of the axis.
        real: whether the input is real: then the second product is on complex numbers, and costs twice the first.
    """
    best, cost = Factors(extent, 1), extent
    for second in range(2, extent // 2 + 1):
        other = extent // second + (2 if real else 1) * second + PASS_COST
        if extent % second == 0 and other < cost:
            best, cost = Factors(extent // second, second), other
    return best


def real_axis(factors: Factors, like: Tensor) -> AxisMatrices:
    """A real axis: n = N2*n1 + n2 to the half spectrum k = k1 + N1*k2, 0 <= k1 <= N1/2.

    to_first (2*K1, N1) from n1 to (k1, j); to_second (K1, 2*N2, 2*N2) from (j, n2) to (k2, j); from_second
    (K1, 2*N2, 2*N2) from (k2, j) to (j, n2); from_first (N1, 2*K1) from (k1, j) to n1, with the multiplicity of k1 in
    the whole spectrum.
    """
    return AxisMatrices(*_tensors(_real_axis(factors), like))


def complex_axis(factors: Factors, like: Tensor) -> AxisMatrices:
    """A complex axis: m = M2*m1 + m2 to q = q1 + M1*q2.

    to_first (2*M1, 2*M1) from (j, m1) to (q1, j); to_second (2, M1, M2, 2*M2) from (j, m2) to q2, real part and
    imaginary part apart; from_second (M1, 2*M2, 2*M2) from (j, q2) to (j, m2); from_first (2*M1, 2*M1) from (q1, j) to
    (j, m1). Dense: to_first (2, M, 2*M), real and imaginary part apart, from_first (2*M, 2*M) from (j, q) to (j, m).
    """
    return AxisMatrices(*_tensors(_complex_axis(factors), like))


def thin_rows(factors: Factors, taps: int, scale: int, like: Tensor) -> Tensor:
    """adjoint.thin_dft of a real axis: (s*F*2, taps) from a tap to (component, frequency, j)."""
    return _tensors(_thin_rows(factors, taps, scale), like)[0]


def thin_columns(factors: Factors, taps: int, scale: int, like: Tensor) -> list[Tensor]:
    """adjoint.thin_dft of a complex axis, real and imaginary part apart: (s*G, 2*taps) from (j, tap)."""
    return _tensors(_thin_columns(factors, taps, scale), like)


def _tensors(matrices: tuple, like: Tensor) -> list[Tensor | None]:
    """In a recorded graph these are constants; so that they are stored as such, numpy converts them."""
    dtype = str(like.dtype).removeprefix("torch.")
    return [None if x is None else torch.from_numpy(x.astype(dtype)).to(like.device) for x in matrices]


def _circle(turns: np.ndarray, extent: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of 2 pi turns / extent."""
    angle = (turns % extent) * (2 * math.pi / extent)
    return np.cos(angle), np.sin(angle)


def _block(real: np.ndarray, imag: np.ndarray) -> np.ndarray:
    """A complex factor as a real block: axes j' (of the result) and j (of the operand) at the end."""
    return np.stack([np.stack([real, -imag], -1), np.stack([imag, real], -1)], -2)


@lru_cache(maxsize=64)
def _real_axis(factors: Factors) -> tuple:
    n_1, n_2 = factors
    k_1, square = np.arange(n_1 // 2 + 1), (-1, 2 * n_2, 2 * n_2)
    cos, sin = _circle(k_1[:, None] * np.arange(n_1), n_1)
    forward = np.stack([cos, -sin], 1)  # k1, j, n1
    count = np.where((k_1 == 0) | (2 * k_1 == n_1), 1, 2)
    backward = forward * count[:, None, None]
    forward, backward = forward.reshape(-1, n_1), np.ascontiguousarray(backward.reshape(-1, n_1).T)
    if n_2 == 1:
        return forward, None, None, backward
    k = k_1[:, None] + n_1 * np.arange(n_2)
    cos, sin = _circle(k[..., None] * np.arange(n_2), factors.extent)  # k1, k2, n2
    to_second = _block(cos, -sin).transpose(0, 1, 3, 4, 2)  # k1, k2, j', j, n2
    from_second = _block(cos, sin).transpose(0, 3, 2, 1, 4)  # k1, j', n2, k2, j
    return forward, to_second.reshape(square), from_second.reshape(square), backward


@lru_cache(maxsize=64)
def _complex_axis(factors: Factors) -> tuple:
    m_1, m_2 = factors
    q_1, m, square = np.arange(m_1), np.arange(m_2), (2 * m_1, 2 * m_1)
    cos, sin = _circle(q_1[:, None] * q_1, m_1)  # q1, m1; or m1, q1
    forward, backward = _block(cos, -sin), _block(cos, sin)
    if m_2 == 1:
        forward = forward.transpose(2, 0, 3, 1).reshape(2, m_1, 2 * m_1)  # j', q, j, m
        return forward, None, None, backward.transpose(2, 0, 3, 1).reshape(square)  # j', m, j, q
    forward = forward.transpose(0, 2, 3, 1).reshape(square)  # q1, j', j, m1
    backward = backward.transpose(2, 0, 1, 3).reshape(square)  # j', m1, q1, j
    q = q_1[:, None] + m_1 * m
    cos, sin = _circle(q[..., None] * m, factors.extent)  # q1, q2, m2
    to_second = _block(cos, -sin).transpose(3, 0, 1, 4, 2).reshape(2, m_1, m_2, 2 * m_2)  # j', q1, q2, j, m2
    from_second = _block(cos, sin).transpose(0, 3, 2, 4, 1)  # q1, j', m2, j, q2
    return forward, to_second, from_second.reshape(m_1, 2 * m_2, 2 * m_2), backward


@lru_cache(maxsize=64)
def _thin_rows(factors: Factors, taps: int, scale: int) -> tuple:
    cos, sin = _thin_circle(factors, factors.first // 2 + 1, taps, scale)
    return (np.stack([cos, -sin], 2).reshape(-1, taps),)


@lru_cache(maxsize=64)
def _thin_columns(factors: Factors, taps: int, scale: int) -> tuple:
    cos, sin = _thin_circle(factors, factors.first, taps, scale)
    return tuple(np.stack(parts, 2).reshape(-1, 2 * taps) for parts in ([cos, sin], [-sin, cos]))


def _thin_circle(factors: Factors, first: int, taps: int, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """(component, frequency, tap), zero where the tap belongs to another component."""
    coarse, component = map(np.array, tap_positions(taps, scale))
    frequencies = (np.arange(first)[:, None] + factors.first * np.arange(factors.second)).reshape(-1)
    cos, sin = _circle(frequencies[:, None] * coarse, factors.extent)
    member = (component == np.arange(scale)[:, None])[:, None]
    return cos * member, sin * member
