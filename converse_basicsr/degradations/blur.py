"""Blur, decimation and noise."""

import math

import numpy as np
import torch
from scipy.ndimage import convolve
from torch import Tensor

from ..ops.blur import blur_decimate
from .degradation import Degradation
from .noise import GaussianNoise
from .psfs import PsfSource

SLACK = 1e-3  # levels: float32 leaves a flat area a little below its level, which is not to be truncated to the next


class Blur(Degradation):
    """lq = (gt (*) psf) down_s + n: circular convolution, every s-th sample from the first, Gaussian noise.

    The input of non-blind (kernel given) and blind deblurring and super-resolution.

    Args:
        psf, psf_size, psf_sigma: where psfs come from, see PsfSource.
        scale: s.
        sigma: of the noise, see GaussianNoise.
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
        self.psfs = PsfSource(psf, psf_size, psf_sigma)
        self.scale = scale
        self.multiple = math.lcm(8, scale)
        self.noise = GaussianNoise(sigma)
        self.quantise = quantise

    def draw(self, gt: Tensor) -> dict[str, Tensor]:
        rng = np.random.default_rng(torch.randint(2**62, ()).item())
        psf = np.stack([self.psfs.draw(rng)[None] for _ in range(gt.shape[0])])
        psf = torch.from_numpy(psf).to(gt)
        blurred = blur_decimate(gt, psf, self.scale)
        if self.quantise:
            blurred = blurred.mul(255).add_(SLACK).floor_().clamp_(0, 255).div_(255)
        return {**self.noise.draw(blurred), "kernel": psf}

    def follow_protocol(self, gt: np.ndarray, index: int) -> dict[str, np.ndarray]:
        psf = self.psfs.take(index)
        image = (gt * 255).round().astype(np.uint8) if self.quantise else gt
        blurred = convolve(image, psf[..., None], mode="wrap")[:: self.scale, :: self.scale]
        blurred = blurred / np.float32(255) if self.quantise else blurred
        return {**self.noise.follow_protocol(blurred, index), "kernel": psf[..., None].astype(np.float32)}
