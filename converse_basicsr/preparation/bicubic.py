"""The reduction that super-resolution is measured on."""

import numpy as np

from basicsr.utils.matlab_functions import imresize


def reduce_bicubic(image: np.ndarray, scale: int) -> np.ndarray:
    """BasicSR's MATLAB-style antialiased bicubic reduction of a uint8 image, rounded to 8 bits.

    Args:
        image: (H, W, C) or (H, W), sides multiples of the scale and at least twice it.
        scale: 2 or more.
    """
    reduced = imresize(image.astype(np.float32) / 255, 1 / scale, antialiasing=True)
    return (reduced.clip(0, 1) * 255).round().astype(np.uint8)
