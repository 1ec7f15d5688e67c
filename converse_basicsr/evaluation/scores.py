"""PSNR and SSIM of 8-bit images, equal to BasicSR's; they need no BasicSR."""

import math

import cv2
import numpy as np

_LUMA = np.array([24.966, 128.553, 65.481])  # ITU-R BT.601, for BGR in [0, 1]


def rounded_luma(image: np.ndarray) -> np.ndarray:
    """Y of an RGB image (H, W, 3) uint8, as (H, W, 1) uint8 in 16..235."""
    bgr = image[..., ::-1] / np.float32(255)  # as BasicSR computes it: exact ties depend on that
    return (bgr @ _LUMA + 16).round().astype(np.uint8)[..., None]


def psnr(image: np.ndarray, gt: np.ndarray, border: int = 0) -> float:
    """Peak signal-to-noise ratio in dB, inf for equal images; (H, W, C) uint8, without `border` pixels at each edge.

    Raises:
        ValueError: the shapes differ, or nothing is left within the border.
    """
    image, gt = _inside(image, gt, border)
    error = np.square(image - gt).mean()
    return math.inf if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(image: np.ndarray, gt: np.ndarray, border: int = 0) -> float:
    """Structural similarity, the mean over channels; arguments and errors as psnr; at least 11 x 11 pixels.

    Source: Wang et al., "Image Quality Assessment", IEEE TIP 2004, with its Gaussian window of 11 x 11, sigma 1.5.
    """
    image, gt = _inside(image, gt, border, least=11)
    return float(np.mean([_ssim(image[..., i], gt[..., i]) for i in range(image.shape[-1])]))


def _inside(image: np.ndarray, gt: np.ndarray, border: int, least: int = 1) -> list[np.ndarray]:
    if image.shape != gt.shape:
        raise ValueError(f"the images must have the same shape, got {image.shape} and {gt.shape}")
    height, width = (side - 2 * border for side in image.shape[:2])
    if min(height, width) < least:
        raise ValueError(f"at least {least}x{least} pixels within the border of {border} are needed")
    return [each[border : border + height, border : border + width].astype(np.float64) for each in (image, gt)]


def _ssim(x: np.ndarray, y: np.ndarray) -> float:
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = map(_smoothed, (x, y, x * x, y * y, x * y))
    covariance = mean_xy - mean_x * mean_y
    variances = mean_xx - mean_x**2 + mean_yy - mean_y**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return (similarity / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))).mean()


def _smoothed(x: np.ndarray) -> np.ndarray:
    window = cv2.getGaussianKernel(11, 1.5)
    return cv2.sepFilter2D(x, -1, window, window)[5:-5, 5:-5]
