"""Additive white Gaussian noise."""

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from .degradation import Degradation


class GaussianNoise(Degradation):
    """lq = gt + n, neither clipped nor rounded.

    Args:
        sigma: standard deviation of n on the 0-255 scale, or [least, largest]: training then samples it uniformly
            for each image (blind denoising).

    Raises:
        UserError: sigma is neither; or degrade_image is called with a range.
    """

    def __init__(self, sigma: float | list[float]):
        least_and_largest = sigma if isinstance(sigma, (list, tuple)) else [sigma, sigma]
        if len(least_and_largest) != 2 or not 0 <= least_and_largest[0] <= least_and_largest[1]:
            raise UserError(f"sigma: must be a number of 0 or more, or [least, largest], got {sigma}")
        self.least, self.largest = least_and_largest

    def degrade_batch(self, gt: Tensor, seeds: list[int]) -> dict[str, Tensor]:
        return {"lq": gt + torch.stack([self._sample(image, seed) for image, seed in zip(gt, seeds, strict=True)])}

    def _sample(self, image: Tensor, seed: int) -> Tensor:
        generator = torch.Generator(image.device).manual_seed(seed)
        sigma = torch.empty((), device=image.device).uniform_(self.least, self.largest, generator=generator)
        return torch.randn(image.shape, generator=generator, device=image.device, dtype=image.dtype) * (sigma / 255)

    def degrade_image(self, gt: np.ndarray, index: int) -> dict[str, np.ndarray]:
        if self.least != self.largest:
            raise UserError(f"sigma: validation needs one number, got [{self.least}, {self.largest}]")
        return {"lq": (gt + protocol_noise(gt.shape, self.largest)).astype(np.float32)}


def protocol_noise(shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """The noise of the paper's protocols: numpy's legacy generator, seeded with 0 for every image.

    Args:
        shape: (H, W, C).
        sigma: standard deviation on the 0-255 scale.
    """
    return np.random.RandomState(0).normal(0, sigma / 255, shape)
