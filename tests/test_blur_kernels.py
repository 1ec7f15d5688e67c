"""The blur kernel that a user asks for: files, shapes, and the fit to a network."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from converse_basicsr.blur_kernels.choosing import choose_kernel, fit_kernel
from converse_basicsr.errors import UserError

KERNEL = np.arange(1.0, 16).reshape(3, 5)


def moments(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of (right, up), in pixels from the centre tap."""
    down, right = np.mgrid[: kernel.shape[0], : kernel.shape[1]].astype(float)
    points = np.stack([right - kernel.shape[1] // 2, kernel.shape[0] // 2 - down])
    mean = (points * kernel).sum((1, 2))
    centred = points - mean[:, None, None]
    return mean, np.einsum("ihw,jhw,hw->ij", centred, centred, kernel)


@pytest.mark.parametrize("suffix", [".npy", ".mat", ".png", ".PNG"])
def test_files(tmp_path, suffix):
    file = tmp_path / f"kernel{suffix}"
    if suffix == ".npy":
        np.save(file, KERNEL[..., None])
    elif suffix == ".mat":
        savemat(file, {"kernel": KERNEL})
    else:
        Image.fromarray((KERNEL * 17).astype(np.uint8)).save(file)
    for name in (str(file), file):
        kernel = choose_kernel(name)
        assert kernel.dtype == np.float64
        np.testing.assert_allclose(kernel, KERNEL / KERNEL.sum())


def test_a_gaussian_has_its_moments():
    kernel = choose_kernel("gaussian:1.5")
    mean, covariance = moments(kernel)
    assert kernel.shape == (11, 11) and kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(mean, 0, atol=1e-9)
    np.testing.assert_allclose(covariance, np.eye(2) * 1.5**2, rtol=0.05, atol=1e-9)


@pytest.mark.parametrize("angle", [0, 30, 90, -45])
def test_angles_are_anticlockwise_from_the_horizontal(angle):
    direction = np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
    for kernel in (choose_kernel(f"gaussian:3,1,{angle}"), choose_kernel(f"motion:9,{angle}")):
        mean, covariance = moments(kernel)
        np.testing.assert_allclose(mean, 0, atol=1e-6)
        values, vectors = np.linalg.eigh(covariance)
        assert abs(vectors[:, 1] @ direction) == pytest.approx(1, abs=1e-3)
        assert values[1] > 3 * values[0]


def test_a_horizontal_motion_is_a_line():
    kernel = choose_kernel("motion:5,0")
    np.testing.assert_allclose(kernel[2], [1 / 8, 1 / 4, 1 / 4, 1 / 4, 1 / 8], atol=0.01)
    assert kernel.sum() == pytest.approx(1) and kernel[[0, 1, 3, 4]].max() == 0
    np.testing.assert_array_equal(choose_kernel("motion:1,77"), [[1]])


def test_an_array_is_normalised():
    np.testing.assert_allclose(choose_kernel(KERNEL * 7), KERNEL / KERNEL.sum())
    np.testing.assert_allclose(choose_kernel(KERNEL[None, None].astype(np.float32)), KERNEL / KERNEL.sum(), rtol=1e-6)
    tensor = torch.from_numpy(KERNEL).requires_grad_()
    np.testing.assert_allclose(choose_kernel(tensor), KERNEL / KERNEL.sum())


FORMS = "FILE.npy, FILE.mat, FILE.png, gaussian:SIGMA"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("gauss:1", FORMS), ("kernel.txt", FORMS), ("", FORMS), ("gaussian", FORMS), ("gaussian:", FORMS),
        ("gaussian:1,2", FORMS), ("motion:5", FORMS), ("motion:5,x", FORMS), ("gaussian:nan", FORMS),
        ("gaussian:0", "lengths of gaussian must be above 0 and at most 40"), ("motion:-3,0", "above 0"),
        ("gaussian:1,50,0", "at most 40"), ("none.npy", "no such blur kernel: none.npy"),
    ],
)  # fmt: skip
def test_what_is_no_kernel(in_tmp, text, reason):
    with pytest.raises(UserError, match=reason):
        choose_kernel(text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (np.zeros((3, 3)), "sums to 0"),
        (-KERNEL, "negative taps"),
        (KERNEL * np.inf, "not finite"),
        (np.ones((3, 3, 3)), r"up to 255x255 taps, got shape \(3, 3, 3\)"),
        (np.ones((300, 3)), "up to 255x255"),
        (np.ones(5), r"got shape \(5,\)"),
        (np.array([["a", "b"]] * 2), "must be real numbers"),
        (KERNEL + 1j, "must be real numbers"),
    ],
)
def test_files_with_bad_taps_are_named(tmp_path, content, reason):
    np.save(tmp_path / "k.npy", content)
    with pytest.raises(UserError, match=f"k.npy: .*{reason}"):
        choose_kernel(str(tmp_path / "k.npy"))


def test_damaged_files_are_named(tmp_path):
    for suffix in (".npy", ".mat", ".png"):
        (tmp_path / f"k{suffix}").write_bytes(b"damaged")
        with pytest.raises(UserError, match=f"k{suffix}: .*not") as error:
            choose_kernel(str(tmp_path / f"k{suffix}"))
        assert "\n" not in str(error.value)
    savemat(tmp_path / "two.mat", {"a": KERNEL, "b": KERNEL})
    with pytest.raises(UserError, match="two.mat: holds 2 blur kernels; save one of them as .npy"):
        choose_kernel(str(tmp_path / "two.mat"))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 6), (7, 7), (2, 7)])
def test_small_kernels_keep_their_centre(shape):
    kernel = np.zeros(shape)
    kernel[shape[0] // 2, shape[1] // 2] = 1
    fitted, lost = fit_kernel(kernel, 7)
    assert fitted.shape == (7, 7) and fitted[3, 3] == 1 and lost == 0


def test_large_kernels_lose_little_weight_or_are_refused():
    kernel = np.full((9, 9), 1e-3)
    kernel[4, 4] = 1 - 80e-3
    fitted, lost = fit_kernel(kernel, 7)
    assert lost == pytest.approx(0.032) and fitted.sum() == pytest.approx(1) and fitted.argmax() == 24
    with pytest.raises(UserError, match=r"it has 9x9 taps, and 40% of its weight is outside of the 7x7 taps"):
        fit_kernel(np.full((9, 9), 1 / 81), 7)
