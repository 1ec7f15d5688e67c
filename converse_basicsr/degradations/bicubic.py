"""Bicubic downsampling and upsampling."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from basicsr.utils.matlab_functions import calculate_weights_indices, imresize

from .degradation import Degradation


class BicubicReduction(Degradation):
    """MATLAB's antialiased imresize by 1/scale.

    Args:
        scale: the factor s.
        quantise: clip and round the result to 8 bits, as a file would store it; the paper's protocol keeps it as float.
    """

    def __init__(self, scale: int, quantise: bool = False):
        self.scale = self.multiple = scale
        self.quantise = quantise

    def degrade_batch(self, gt: Tensor, seeds: list[int]) -> dict[str, Tensor]:
        lq = reduce_batch(gt, self.scale)
        return {"lq": lq.mul(255).round_().clamp_(0, 255).div_(255) if self.quantise else lq}

    def degrade_image(self, gt: np.ndarray, index: int) -> dict[str, np.ndarray]:
        if self.quantise:
            return {"lq": reduce_to_8_bits(gt, self.scale) / np.float32(255)}
        return {"lq": imresize(gt, 1 / self.scale)}


def reduce_to_8_bits(image: np.ndarray, scale: int) -> np.ndarray:
    """imresize of an image (H, W, C) or (H, W) in [0, 1] by 1/scale, clipped and rounded to uint8."""
    return (imresize(image, 1 / scale).clip(0, 1) * 255).round().astype(np.uint8)


def reduce_bicubic(image: np.ndarray, scale: int) -> np.ndarray:
    """imresize of a uint8 image (H, W, C) or (H, W) by 1/scale, rounded to 8 bits; sides are multiples of scale."""
    return reduce_to_8_bits(image / np.float32(255), scale)


def reduce_batch(x: Tensor, scale: int) -> Tensor:
    """BasicSR's imresize of each image, (N, C, H, W) -> (N, C, H/s, W/s), as two thin matrix products."""
    return _resize(x, [side // scale for side in x.shape[-2:]], 1 / scale)


def enlarge_batch(x: Tensor, scale: int) -> Tensor:
    """BasicSR's imresize of each image, (N, C, h, w) -> (N, C, s*h, s*w)."""
    return _resize(x, [side * scale for side in x.shape[-2:]], scale)


def _resize(x: Tensor, sides: list[int], factor: float) -> Tensor:
    height, width = (_weights(*pair, factor).to(x) for pair in zip(x.shape[-2:], sides, strict=True))
    return height @ x @ width.mT


@lru_cache(maxsize=16)
def _weights(side: int, resized: int, factor: float) -> Tensor:
    """The weights of imresize along one axis, (resized, side), with the symmetric border folded back."""
    weights, indices, before, _ = calculate_weights_indices(side, resized, factor, "cubic", 4, True)
    position = indices.long() - before
    position = torch.where(position < 0, -1 - position, position)
    position = torch.where(position >= side, 2 * side - 1 - position, position)
    return torch.zeros(resized, side).scatter_add_(1, position, weights)
