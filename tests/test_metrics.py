"""PSNR and SSIM on Y rounded to 8 bits: by hand, beside BasicSR's, on published weights and through the command."""

import math
import re

import cv2
import numpy as np
import pytest
import torch
from test_command import run
from tiny import options, write_images, write_options

import converse_basicsr.archs
import converse_basicsr.metrics  # noqa: F401 (register)
from converse_basicsr.checks import check_run
from converse_basicsr.errors import UserError
from converse_basicsr.metrics.rounded_y_metric import calculate_psnr_rounded_y, calculate_ssim_rounded_y

from basicsr.archs import build_network
from basicsr.metrics import calculate_metric, calculate_psnr, calculate_ssim
from basicsr.utils import tensor2img
from basicsr.utils.matlab_functions import imresize

BOTH = pytest.mark.parametrize("metric", [calculate_psnr_rounded_y, calculate_ssim_rounded_y])


@pytest.fixture
def pair():
    """Two random uint8 images (32, 28, 3), BGR."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (32, 28, 3), dtype=np.uint8)
    noise = rng.integers(-20, 21, image.shape)
    return image, (image + noise).clip(0, 255).astype(np.uint8)


def luma(image: np.ndarray) -> np.ndarray:
    """ITU-R BT.601 Y of a BGR image, 16..235, in exact thousandths, rounded."""
    blue, green, red = (image[..., channel].astype(int) for channel in range(3))
    return np.round((24966 * blue + 128553 * green + 65481 * red) / 255000 + 16)


@pytest.mark.parametrize("border", [0, 4])
def test_psnr_by_hand(pair, border):
    one, two = (luma(image)[border : 32 - border, border : 28 - border] for image in pair)
    expected = 10 * math.log10(255**2 / np.square(one - two).mean())
    assert calculate_psnr_rounded_y(*pair, crop_border=border) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("border", [0, 4])
def test_ssim_is_that_of_the_rounded_luma(pair, border):
    expected = calculate_ssim(*(luma(image)[..., None] for image in pair), border)
    assert calculate_ssim_rounded_y(*pair, crop_border=border) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("rounded", "float_y"), [(calculate_psnr_rounded_y, calculate_psnr), (calculate_ssim_rounded_y, calculate_ssim)]
)
def test_rounding_makes_a_difference(pair, rounded, float_y):
    values = rounded(*pair, crop_border=0), float_y(*pair, crop_border=0, test_y_channel=True)
    assert values[0] != values[1]
    assert values[0] == pytest.approx(values[1], rel=1e-2)


@BOTH
def test_input_order(pair, metric):
    channels_first = [image.transpose(2, 0, 1) for image in pair]
    assert metric(*channels_first, crop_border=2, input_order="CHW") == metric(*pair, crop_border=2)


@pytest.mark.parametrize(
    ("rounded", "plain"), [(calculate_psnr_rounded_y, calculate_psnr), (calculate_ssim_rounded_y, calculate_ssim)]
)
@pytest.mark.parametrize("shape", ["HW", "HW1", "1HW"])
def test_grayscale_is_compared_as_it_is(pair, rounded, plain, shape):
    gray = [image[..., 0] for image in pair]
    shaped = {"HW": gray, "HW1": [g[..., None] for g in gray], "1HW": [g[None] for g in gray]}[shape]
    order = "CHW" if shape == "1HW" else "HWC"
    assert rounded(*shaped, crop_border=2, input_order=order) == plain(*gray, crop_border=2)


def test_identical_images(pair):
    assert calculate_psnr_rounded_y(pair[0], pair[0], crop_border=0) == math.inf
    assert calculate_ssim_rounded_y(pair[0], pair[0], crop_border=0) == pytest.approx(1, abs=1e-12)


@BOTH
def test_wrong_input_is_an_error(pair, metric):
    one, two = pair
    with pytest.raises(ValueError, match=r"same shape, got \(32, 28, 3\) and \(30, 28, 3\)"):
        metric(one, two[2:], crop_border=0)
    with pytest.raises(ValueError, match=r"same shape, got \(32, 28, 3\) and \(32, 28\)"):
        metric(one, two[..., 0], crop_border=0)
    with pytest.raises(ValueError, match="must be uint8, got float64"):
        metric(one, two / 255, crop_border=0)
    with pytest.raises(ValueError, match="Wrong input_order WHC"):
        metric(one, two, crop_border=0, input_order="WHC")
    with pytest.raises(TypeError, match="test_y_channel"):
        metric(one, two, crop_border=0, test_y_channel=True)


def test_published_weights_give_the_numbers_measured_elsewhere(assets):
    """Converse-SRResNet x4 on Set5 'butterfly', float LR, Y rounded: 28.6710 dB, 0.9264."""
    truth = cv2.imread(str(assets / "testsets/set5/butterfly_GT.bmp"))
    network = build_network({"type": "ConverseSRResNet"}).eval()
    network.load_state_dict(torch.load(assets / "weights/converse_srresnet.pth", weights_only=True))
    lr = imresize(truth[..., ::-1].astype(np.float32) / 255, 1 / 4)
    with torch.no_grad():
        restored = tensor2img(network(torch.from_numpy(lr.transpose(2, 0, 1).copy())[None]))
    for metric, value, digits in (("psnr", 28.6710, 0.005), ("ssim", 0.9264, 0.0001)):
        section = {"type": f"calculate_{metric}_rounded_y", "crop_border": 4, "better": "higher"}
        assert calculate_metric({"img": restored, "img2": truth}, section) == pytest.approx(value, abs=digits)


METRICS = {
    f"{name}_rounded": {"type": f"calculate_{name}_rounded_y", "crop_border": 4, "better": "higher"}
    for name in ("psnr", "ssim")
}


def test_through_the_command(in_tmp):
    write_images(in_tmp / "data")
    write_options(in_tmp / "tiny.yml", val__metrics=METRICS)
    printed = run("train", "-opt", "tiny.yml")
    for line in (
        r"tiny_val: psnr_rounded, ssim_rounded",
        r"validation of tiny_val .*, ssim_rounded 0\.\d+ \(best 0\.\d+ at 2\)",
    ):
        assert re.search(line, printed), printed


def test_options_that_do_not_fit_are_named(in_tmp):
    write_images(in_tmp / "data")
    wrong = {"psnr": {**METRICS["psnr_rounded"], "test_y_channel": True}}
    message = r"calculate_psnr_rounded_y has no option 'test_y_channel' \(crop_border, input_order, better\)"
    with pytest.raises(UserError, match=message):
        check_run(options(val__metrics=wrong), is_train=True)
