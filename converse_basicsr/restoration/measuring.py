"""PSNR and SSIM of restored pictures against their ground truth."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UserError, plain
from ..evaluation.scores import psnr, rounded_luma, ssim
from ..images.picture import Picture
from ..images.reading import read_picture

METRICS = ("y", "rgb")


class Scores(NamedTuple):
    """PSNR in dB, and SSIM (nan for a picture that is too small for its window)."""

    psnr: float
    ssim: float

    def __str__(self) -> str:
        return f"PSNR {self.psnr:.4f} dB, SSIM {'-' if math.isnan(self.ssim) else f'{self.ssim:.4f}'}"


def read_gt(path: Path, size: tuple[int, int], scale: int) -> np.ndarray:
    """The ground truth (H, W, C), uint8, RGB or gray, cropped at the bottom and right to a multiple of the scale.

    Raises:
        UserError: it cannot be read, or has not the size (height, width) then.
    """
    pixels = read_picture(path).in_8_bits().pixels
    height, width = size
    if not (0 <= pixels.shape[0] - height < scale and 0 <= pixels.shape[1] - width < scale):
        found = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise UserError(f"{plain(path)}: the ground truth has {found} pixels, the restored picture {width}x{height}")
    return pixels[:height, :width]


def measure(restored: Picture, gt: np.ndarray, metric: str, scale: int) -> Scores:
    """Scores of a restored picture: 8 bits, without a border of `scale` pixels if scale is above 1.

    Args:
        restored: the picture.
        gt: (H, W, C) uint8, of the same size.
        metric: 'y' compares the luma rounded to 8 bits (two gray pictures: unchanged), 'rgb' all channels.
        scale: the upscaling factor.
    """
    images = [restored.in_8_bits().pixels, gt]
    if {image.shape[-1] for image in images} == {1, 3}:  # gray counts as three equal channels
        images = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in images]
    if metric == "y" and images[0].shape[-1] == 3:
        images = [rounded_luma(image) for image in images]
    border = scale if scale > 1 else 0
    try:
        peak = psnr(*images, border)
    except ValueError as error:
        raise UserError(str(error)) from error
    large_enough = min(gt.shape[:2]) - 2 * border >= 11
    return Scores(peak, ssim(*images, border) if large_enough else math.nan)


def mean(scores: Iterable[Scores]) -> Scores:
    return Scores(*(float(np.mean(values)) for values in zip(*scores, strict=True)))
