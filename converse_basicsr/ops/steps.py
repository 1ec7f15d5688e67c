"""The closed form, applied several times."""

from torch import Tensor

from .converse2d import converse2d
from .prior import Prior


def converse2d_in_steps(y: Tensor, psf: Tensor, lam: float | Tensor, scale: int, x0: Prior, steps: int) -> Tensor:
    """converse2d, whose solution is smoothed and taken as the prior again, until it has been applied `steps` times.

    Repeated without end, these steps minimise ||y - A x||^2 + lam <x, (1 - S) x>, with S the smoothing.

    Args:
        y, psf, lam, scale, x0: as for converse2d.
        steps: 1 or more.

    Returns:
        (N, C, s*h, s*w).
    """
    x = converse2d(y, psf, lam, scale, x0)
    for _ in range(steps - 1):
        x = converse2d(y, psf, lam, scale, smoothed(x))
    return x


def smoothed(x: Tensor) -> Tensor:
    """2 B x - B B x of (N, C, H, W), with B the circular 3x3 binomial filter: a weak low-pass."""
    once = _binomial(x)
    return 2 * once - _binomial(once)


def _binomial(x: Tensor) -> Tensor:
    for axis in (-2, -1):
        x = x / 2 + (x.roll(1, axis) + x.roll(-1, axis)) / 4
    return x
