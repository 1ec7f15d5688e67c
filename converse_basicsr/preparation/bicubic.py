"""The reduction that super-resolution is measured on."""

import numpy as np

from ..degradations.bicubic import reduce_to_8_bits


def reduce_bicubic(image: np.ndarray, scale: int) -> np.ndarray:
    """BasicSR's MATLAB-style antialiased bicubic reduction of a uint8 image, rounded to 8 bits.

    Args:
        image: (H, W, C) or (H, W), sides multiples of the scale and at least twice it.
        scale: 2 or more.
    """
    return reduce_to_8_bits(image / np.float32(255), scale)
