"""PSNR and SSIM without BasicSR: equal to BasicSR's."""

import math

import numpy as np
import pytest

from converse_basicsr.errors import UserError
from converse_basicsr.evaluation.scores import psnr, rounded_luma, ssim
from converse_basicsr.images.picture import Picture
from converse_basicsr.restoration.measuring import Scores, measure

RANDOM = np.random.default_rng(0)


def pair(channels: int) -> tuple[np.ndarray, np.ndarray]:
    image = RANDOM.integers(0, 256, (32, 28, channels), dtype=np.uint8)
    return image, (image + RANDOM.integers(-20, 21, image.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("border", [0, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_equal_to_basicsr(channels, border):
    from basicsr.metrics import calculate_psnr, calculate_ssim

    images = pair(channels)
    assert psnr(*images, border) == pytest.approx(calculate_psnr(*images, border), abs=1e-10)
    assert ssim(*images, border) == pytest.approx(calculate_ssim(*images, border), abs=1e-10)


@pytest.mark.parametrize("border", [0, 4])
def test_rounded_luma_is_equal_to_basicsr(border):
    from converse_basicsr.metrics.rounded_y_metric import calculate_psnr_rounded_y, calculate_ssim_rounded_y

    images = pair(3)
    luma = [rounded_luma(image) for image in images]
    bgr = [image[..., ::-1].copy() for image in images]
    assert psnr(*luma, border) == pytest.approx(calculate_psnr_rounded_y(*bgr, border), abs=1e-10)
    assert ssim(*luma, border) == pytest.approx(calculate_ssim_rounded_y(*bgr, border), abs=1e-10)


def test_every_colour_has_basicsrs_luma():
    from basicsr.utils import bgr2ycbcr

    levels = np.arange(0, 256, 5, dtype=np.uint8)
    image = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(len(levels), -1, 3)
    np.testing.assert_array_equal(rounded_luma(image)[..., 0], bgr2ycbcr(image[..., ::-1], y_only=True))


def test_equal_images():
    image = pair(3)[0]
    assert psnr(image, image) == math.inf and ssim(image, image) == pytest.approx(1)


@pytest.mark.parametrize(
    ("function", "images", "border", "reason"),
    [
        (psnr, (np.zeros((4, 4, 3)), np.zeros((4, 5, 3))), 0, "must have the same shape"),
        (psnr, (np.zeros((8, 8, 3)), np.zeros((8, 8, 3))), 4, "at least 1x1 pixels within the border of 4"),
        (ssim, (np.zeros((10, 20, 3)), np.zeros((10, 20, 3))), 0, "at least 11x11 pixels"),
    ],
)
def test_images_that_cannot_be_compared(function, images, border, reason):
    with pytest.raises(ValueError, match=reason):
        function(*images, border)


def test_the_protocols_of_pictures():
    image, gt = pair(3)
    luma = [rounded_luma(each) for each in (image, gt)]
    assert measure(Picture(image), gt, "y", 4) == Scores(psnr(*luma, 4), ssim(*luma, 4))
    assert measure(Picture(image), gt, "rgb", 1) == Scores(psnr(image, gt), ssim(image, gt))
    gray = gt[..., :1]
    assert measure(Picture(image[..., :1]), gray, "y", 1) == Scores(
        psnr(image[..., :1], gray), ssim(image[..., :1], gray)
    )
    assert measure(Picture(gray), gray.repeat(3, 2), "rgb", 1).psnr == math.inf
    assert measure(Picture(image.astype(np.uint16) * 257), gt, "rgb", 1) == measure(Picture(image), gt, "rgb", 1)


def test_pictures_too_small_for_the_window():
    image, gt = (each[:10, :10] for each in pair(3))
    assert str(measure(Picture(image), gt, "rgb", 1)).endswith("dB, SSIM -")
    with pytest.raises(UserError, match="within the border of 8"):
        measure(Picture(image), gt, "rgb", 8)
