"""PSNR and SSIM on Y rounded to 8 bits, as in the tables of super-resolution papers.

BasicSR's metrics with test_y_channel compare Y as float. Colour conversion (ITU-R BT.601, 16..235), PSNR, SSIM and
border are BasicSR's.
"""

import numpy as np

from basicsr.metrics import calculate_psnr, calculate_ssim
from basicsr.metrics.metric_util import reorder_image
from basicsr.utils import bgr2ycbcr
from basicsr.utils.registry import METRIC_REGISTRY


@METRIC_REGISTRY.register()
def calculate_psnr_rounded_y(
    img: np.ndarray, img2: np.ndarray, crop_border: int, input_order: str = "HWC", better: str = "higher"
) -> float:
    """PSNR in dB on Y rounded to uint8; inf for equal images.

    Args:
        img: uint8, (H, W, 3) BGR, or gray (H, W) or (H, W, 1), compared unchanged; channels first with CHW.
        img2: the same shape and type.
        crop_border: pixels excluded at every edge.
        input_order: 'HWC' or 'CHW'.
        better: unused; BasicSR passes every key of the metric's section, and reads this one itself.

    Raises:
        ValueError: the shapes differ, an image is not uint8, or input_order is not valid.
    """
    return calculate_psnr(*_rounded_y(img, img2, input_order), crop_border)


@METRIC_REGISTRY.register()
def calculate_ssim_rounded_y(
    img: np.ndarray, img2: np.ndarray, crop_border: int, input_order: str = "HWC", better: str = "higher"
) -> float:
    """SSIM on Y rounded to uint8; arguments and errors as for calculate_psnr_rounded_y, 1 for equal images."""
    return calculate_ssim(*_rounded_y(img, img2, input_order), crop_border)


def _rounded_y(img: np.ndarray, img2: np.ndarray, input_order: str) -> tuple[np.ndarray, np.ndarray]:
    """Both images as (H, W, 1) uint8."""
    if img.shape != img2.shape:
        raise ValueError(f"the images must have the same shape, got {img.shape} and {img2.shape}")
    images = []
    for image in (img, img2):
        if image.dtype != np.uint8:
            raise ValueError(f"images must be uint8, got {image.dtype}")
        image = image[..., None] if image.ndim == 2 else reorder_image(image, input_order)
        if image.shape[-1] == 3:
            image = bgr2ycbcr(image, y_only=True)[..., None]  # rounds to uint8 for uint8 input
        images.append(image)
    return images[0], images[1]
