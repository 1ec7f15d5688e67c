"""Bicubic downsampling of uint8 images."""

import numpy as np

from ..degradations.bicubic import reduce_to_8_bits


def reduce_bicubic(image: np.ndarray, scale: int) -> np.ndarray:
    """BasicSR's MATLAB-style antialiased bicubic downsampling of a uint8 image, rounded to 8 bits.

    Args:
        image: (H, W, C) or (H, W), sides multiples of the scale and at least twice the scale.
        scale: 2 or more.
    """
    return reduce_to_8_bits(image / np.float32(255), scale)
