"""Sub-images: windows of an image, one step apart, the last one at the border."""

from collections.abc import Iterator

import numpy as np


def starts(side: int, size: int, step: int) -> list[int]:
    """Start positions of the windows along a side. Dividing all three arguments by a factor divides the result."""
    return sorted({*range(0, side - size, step), side - size})


def sub_images(key: str, image: np.ndarray, size: int, step: int) -> Iterator[tuple[str, np.ndarray]]:
    """(key_s001, window), (key_s002, window), ... row by row, as BasicSR's tools name them."""
    corners = ((top, left) for top in starts(image.shape[0], size, step) for left in starts(image.shape[1], size, step))
    for number, (top, left) in enumerate(corners, start=1):
        yield f"{key}_s{number:03d}", image[top : top + size, left : left + size]
