"""The blur kernel that a user asks for, and its fit to a network."""

import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError, plain, shown
from . import FORMS
from .reading import check_taps, read_kernel
from .shapes import gaussian, motion

_MOST_CROPPED = 0.1  # share of the kernel's sum
_LARGEST = {"gaussian": 40, "motion": 250}  # pixels
_FILES = (".npy", ".mat", ".png")


def choose_kernel(kernel: str | os.PathLike | ArrayLike, signed: bool = False) -> np.ndarray:
    """A blur kernel (kh, kw), float64, sum 1, from one of FORMS, a path, an array or a tensor.

    The blur is a convolution, and the centre is tap (kh//2, kw//2). Angles are degrees, anticlockwise from the
    horizontal; lengths and standard deviations are pixels. Taps may be negative if `signed`.

    Raises:
        UserError: it is none of these, or not a valid kernel.
    """
    if isinstance(kernel, os.PathLike):
        kernel = os.fspath(kernel)
    if not isinstance(kernel, str):
        taps = kernel.detach().cpu() if hasattr(kernel, "detach") else kernel  # a tensor
        return check_taps(np.asarray(taps), "kernel", signed)
    kind, colon, numbers = kernel.partition(":")
    if colon and kind in _LARGEST:
        return _made(kernel, kind, numbers)
    if Path(kernel).suffix.lower() not in _FILES:
        raise UserError(f"kernel: must be {FORMS}, got {plain(kernel)}")
    return read_kernel(Path(kernel).expanduser(), signed)


def _made(text: str, kind: str, numbers: str) -> np.ndarray:
    try:
        values = [float(number) for number in numbers.split(",")]
    except ValueError:
        values = []
    if len(values) not in ((1, 3) if kind == "gaussian" else (2,)) or not all(map(math.isfinite, values)):
        raise UserError(f"kernel: must be {FORMS}, with numbers, got {shown(text)}")
    lengths = values[:2] if kind == "gaussian" else values[:1]
    if not all(0 < length <= _LARGEST[kind] for length in lengths):
        raise UserError(f"kernel: lengths of {kind} must be above 0 and at most {_LARGEST[kind]}, got {shown(text)}")
    return gaussian(*values) if kind == "gaussian" else motion(*values)


def fit_kernel(kernel: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """The kernel centred in size x size taps (size odd), with sum 1, and the share of its weight that was cut off.

    Raises:
        UserError: more than a tenth of its weight would be cut off.
    """
    fitted = kernel
    for axis in (0, 1):
        before = size // 2 - fitted.shape[axis] // 2
        after = size - fitted.shape[axis] - before
        widths = [(0, 0), (0, 0)]
        widths[axis] = (max(before, 0), max(after, 0))
        fitted = np.pad(fitted, widths)
        fitted = fitted.take(range(max(-before, 0), max(-before, 0) + size), axis)
    lost = 1 - fitted.sum()
    if lost > _MOST_CROPPED:
        raise UserError(
            f"kernel: it has {kernel.shape[0]}x{kernel.shape[1]} taps, and {lost:.0%} of its weight is outside of the "
            f"{size}x{size} taps that this network takes; --method converse2d takes kernels of any size"
        )
    return fitted / fitted.sum(), float(lost)
