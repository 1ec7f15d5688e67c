"""The noise level of an image, estimated from the image itself."""

import math

from torch import Tensor

from ..ops.dispatch import without_autocast


def noise_level(image: Tensor) -> Tensor:
    """Standard deviation of white Gaussian noise: (N, C, H, W) -> (N, 1, 1, 1), in the units of the image.

    The mean absolute value of a filter that removes everything that is locally linear. On blurred photographs it is
    about exact; fine texture and edges raise it.

    Raises:
        ValueError: a side is below 3 pixels.

    Source: Immerkaer, "Fast Noise Variance Estimation", Computer Vision and Image Understanding 1996.
    """
    if min(image.shape[-2:]) < 3:
        raise ValueError(f"the noise level is estimated from 3x3 pixels or more, got {tuple(image.shape[-2:])}")
    with without_autocast(image):
        image = image.float() if image.itemsize < 4 else image
        rows = image[..., 2:, :] - 2 * image[..., 1:-1, :] + image[..., :-2, :]
        both = rows[..., 2:] - 2 * rows[..., 1:-1] + rows[..., :-2]
        return both.abs().mean((-3, -2, -1), keepdim=True) * (math.sqrt(math.pi / 2) / 6)
