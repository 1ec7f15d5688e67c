"""Blur, decimation and noise."""

import math

import numpy as np
import torch
from scipy.ndimage import convolve
from torch import Tensor

from ..ops.blur import blur_decimate
from .blur_kernels import KernelSource
from .degradation import Degradation
from .noise import GaussianNoise

SLACK = 1e-3  # grey levels: in float32 a flat area ends slightly below its level; truncation must not lower it by 1


class Blur(Degradation):
    """lq = (gt (*) kernel) down_s + n: circular convolution, every s-th sample from the first, Gaussian noise.

    For deblurring and super-resolution, non-blind (the kernel is given to the network) and blind.

    Args:
        psf, psf_size, psf_sigma: the blur kernels, see KernelSource.
        scale: the factor s.
        sigma: the noise level, see GaussianNoise.
        quantise: truncate the blurred image to 8 bits before the noise is added, as the paper's protocol does.
    """

    def __init__(
        self,
        psf: str | list[str],
        psf_size: int = 7,
        psf_sigma: list[float] = (0.6, 2.0),
        scale: int = 1,
        sigma: float | list[float] = 2.55,
        quantise: bool = True,
    ):
        self.kernels = KernelSource(psf, psf_size, psf_sigma)
        self.scale = scale
        self.multiple = math.lcm(8, scale)
        self.noise = GaussianNoise(sigma)
        self.quantise = quantise

    def degrade_batch(self, gt: Tensor, seeds: list[int]) -> dict[str, Tensor]:
        kernel = np.stack([self.kernels.sample(np.random.default_rng(seed))[None] for seed in seeds])
        kernel = torch.from_numpy(kernel).to(gt)
        blurred = blur_decimate(gt, kernel, self.scale)
        if self.quantise:
            blurred = blurred.mul(255).add_(SLACK).floor_().clamp_(0, 255).div_(255)
        return {**self.noise.degrade_batch(blurred, seeds), "kernel": kernel}

    def degrade_image(self, gt: np.ndarray, index: int) -> dict[str, np.ndarray]:
        kernel = self.kernels.for_image(index)[..., None]
        image = (gt * 255).round().astype(np.uint8) if self.quantise else gt
        blurred = convolve(image, kernel, mode="wrap")[:: self.scale, :: self.scale]
        blurred = blurred / np.float32(255) if self.quantise else blurred
        return {**self.noise.degrade_image(blurred, index), "kernel": kernel.astype(np.float32)}
