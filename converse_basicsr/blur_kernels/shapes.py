"""Blur kernels made from numbers: (k, k), float64, sum 1, k odd, centred."""

import math

import numpy as np


def gaussian(sigma: float, sigma2: float | None = None, angle: float = 0) -> np.ndarray:
    """A Gaussian that ends at three standard deviations.

    Args:
        sigma: standard deviation in pixels, along the direction of the angle.
        sigma2: across it; None: the same.
        angle: in degrees, anticlockwise from the horizontal.
    """
    sigma2 = sigma if sigma2 is None else sigma2
    radius = math.ceil(3 * max(sigma, sigma2))
    along, across = _rotated(radius, angle)
    kernel = np.exp(-0.5 * ((along / sigma) ** 2 + (across / sigma2) ** 2))
    return kernel / kernel.sum()


def motion(length: float, angle: float) -> np.ndarray:
    """A straight movement at constant speed.

    Args:
        length: in pixels; 1 and less is no blur.
        angle: in degrees, anticlockwise from the horizontal.
    """
    half = max(length - 1, 0) / 2
    position = np.linspace(-half, half, 64 * math.ceil(length) + 1)
    turn = math.radians(angle)
    radius = math.ceil(half)
    return from_path(np.stack([-math.sin(turn) * position, math.cos(turn) * position]) + radius, 2 * radius + 1)


def from_path(position: np.ndarray, size: int) -> np.ndarray:
    """The kernel of a point that moves through positions (2, steps), row and column, within size x size."""
    corner = np.floor(position).astype(int).clip(0, max(size - 2, 0))
    part = position - corner
    kernel = np.zeros((size, size))
    for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):  # bilinear weights of the four nearest pixels
        share = np.abs(1 - down - part[0]) * np.abs(1 - across - part[1])
        np.add.at(kernel, (np.minimum(corner[0] + down, size - 1), np.minimum(corner[1] + across, size - 1)), share)
    return kernel / kernel.sum()


def _rotated(radius: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of each tap along and across a direction."""
    turn = math.radians(angle)
    down, right = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(float)
    return math.cos(turn) * right - math.sin(turn) * down, math.sin(turn) * right + math.cos(turn) * down
