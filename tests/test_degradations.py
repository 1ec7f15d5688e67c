"""Degradations: training against the fixed protocol, laws of each, blur kernels from files and generated."""

import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.ndimage import convolve

from converse_basicsr.degradations import BicubicReduction, Blur, GaussianNoise, build_degradation
from converse_basicsr.degradations.bicubic import reduce_batch, reduce_bicubic
from converse_basicsr.degradations.blur_kernels import KernelSource, motion_kernel, read_kernels
from converse_basicsr.errors import UserError
from converse_basicsr.ops.blur import blur_decimate

from basicsr.utils.matlab_functions import imresize


def image(height=48, width=40, channels=3, seed=0) -> np.ndarray:
    """(H, W, C) in [0, 1], multiples of 1/255."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels)).astype(np.float32) / 255


def batch(array: np.ndarray, dtype=torch.float32) -> torch.Tensor:
    return torch.from_numpy(array.transpose(2, 0, 1)[None].copy()).to(dtype)


def asymmetric_kernel(size=7) -> np.ndarray:
    kernel = np.arange(1.0, size * size + 1).reshape(size, size) ** 2
    return kernel / kernel.sum()


@pytest.fixture
def kernel_file(tmp_path):
    np.save(tmp_path / "kernel.npy", asymmetric_kernel())
    return str(tmp_path / "kernel.npy")


# --- noise ---


def test_protocol_noise_is_numpys_legacy_generator_seeded_for_every_image():
    gt = image(channels=1)
    expected = (gt + np.random.RandomState(0).normal(0, 25 / 255, gt.shape)).astype(np.float32)
    for index in (0, 3):
        assert np.array_equal(GaussianNoise(25).degrade_image(gt, index)["lq"], expected)


@pytest.mark.parametrize(("sigma", "least", "largest"), [(25, 25, 25), ([10, 50], 10, 50)])
def test_training_noise_has_the_given_sigma(sigma, least, largest):
    gt = torch.full((64, 1, 64, 64), 0.5)
    spread = (GaussianNoise(sigma).degrade_batch(gt, list(range(64)))["lq"] - gt).flatten(1).std(1) * 255
    assert spread.min() > least * 0.93 and spread.max() < largest * 1.07
    assert (spread.max() - spread.min() > 20) == (least != largest)


@pytest.mark.parametrize("sigma", [-1, [5], [9, 3], [-1, 3]])
def test_an_invalid_sigma_is_refused(sigma):
    with pytest.raises(UserError, match="sigma: must be a number of 0 or more"):
        GaussianNoise(sigma)


def test_validation_needs_one_sigma():
    with pytest.raises(UserError, match=r"validation needs one number, got \[0, 55\]"):
        GaussianNoise([0, 55]).degrade_image(image(), 0)


# --- bicubic ---


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(48, 72), (96, 24)])
def test_bicubic_matches_imresize(scale, size):
    gt = image(*size)
    expected = imresize(gt, 1 / scale)
    reduced = reduce_batch(batch(gt), scale)[0].numpy().transpose(1, 2, 0)
    assert np.abs(reduced - expected).max() < 1e-6
    assert np.array_equal(BicubicReduction(scale).degrade_image(gt, 0)["lq"], expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_quantised_bicubic_equals_a_file(channels):
    gt = image(channels=channels)
    reduction = BicubicReduction(4, quantise=True)
    protocol = reduction.degrade_image(gt, 0)["lq"]
    assert protocol.shape == (12, 10, channels)
    prepared = reduce_bicubic((gt * 255).round().astype(np.uint8), 4)
    assert np.array_equal(prepared / np.float32(255), protocol)
    made = reduction.degrade_batch(batch(gt), [0])["lq"][0].numpy().transpose(1, 2, 0)
    assert (np.abs(made - protocol) > 1e-6).mean() < 0.01  # a value halfway between two levels may go either way


# --- blur ---


@pytest.mark.parametrize("size", [1, 3, 5, 7])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_blur_matches_scipy(size, scale):
    gt, kernel = image(48, 24).astype(np.float64), asymmetric_kernel(size)
    expected = convolve(gt, kernel[..., None], mode="wrap")[::scale, ::scale]
    blurred = blur_decimate(batch(gt, torch.float64), torch.from_numpy(kernel)[None, None], scale)
    assert np.abs(blurred[0].numpy().transpose(1, 2, 0) - expected).max() < 1e-12


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_training_and_protocol_blur_agree(kernel_file, scale):
    gt = image()
    for quantise, close in ((False, 1e-6), (True, 1 / 255 + 1e-6)):  # truncated: a whole level where one rounds down
        blur = Blur(kernel_file, scale=scale, sigma=0, quantise=quantise)
        protocol, made = blur.degrade_image(gt, 0), blur.degrade_batch(batch(gt), [0])
        difference = np.abs(made["lq"][0].numpy().transpose(1, 2, 0) - protocol["lq"])
        assert difference.max() < close and (difference > 1e-6).mean() < 0.01
        assert np.allclose(made["kernel"][0].numpy().transpose(1, 2, 0), protocol["kernel"], atol=1e-7)


def test_a_flat_area_keeps_its_grey_level(kernel_file):
    levels = torch.arange(256) / 255
    gt = levels.view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    assert torch.equal(Blur(kernel_file, sigma=0).degrade_batch(gt, list(range(256)))["lq"], gt)


def test_protocol_blur_uses_the_uint8_image(kernel_file):
    gt = image()
    blurred = convolve((gt * 255).round().astype(np.uint8), asymmetric_kernel()[..., None], mode="wrap")[::2, ::2]
    expected = blurred.astype(np.float32) / 255 + np.random.RandomState(0).normal(0, 2.55 / 255, blurred.shape)
    made = Blur(kernel_file, scale=2).degrade_image(gt, 5)
    assert blurred.dtype == np.uint8 and np.abs(made["lq"] - expected).max() < 1e-7
    assert np.allclose(made["kernel"][..., 0], asymmetric_kernel())


def test_every_sample_of_a_batch_has_its_own_kernel():
    gt = batch(image()).expand(4, -1, -1, -1)
    made = Blur(["gaussian", "motion"], sigma=0, quantise=False).degrade_batch(gt, [0, 1, 2, 3])
    assert made["kernel"].shape == (4, 1, 7, 7) and len(made["kernel"].unique(dim=0)) == 4
    for lq, kernel in zip(made["lq"], made["kernel"], strict=True):
        assert torch.allclose(lq, blur_decimate(gt[:1], kernel[None])[0], atol=1e-6)


@pytest.mark.parametrize(
    "degradation", [GaussianNoise([0, 50]), Blur(["gaussian", "motion"], sigma=[1, 5])], ids=lambda d: type(d).__name__
)
def test_a_sample_does_not_depend_on_its_batch(degradation):
    gt = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    whole = degradation.degrade_batch(gt, [5, 6, 7])
    for number, seed in enumerate((5, 6, 7)):
        alone = degradation.degrade_batch(gt[number : number + 1], [seed])
        for name, value in alone.items():
            torch.testing.assert_close(value[0], whole[name][number], rtol=0, atol=1e-6)
    assert not torch.equal(degradation.degrade_batch(gt, [8, 9, 10])["lq"], whole["lq"])


# --- blur kernels ---


@pytest.mark.parametrize("kind", ["gaussian", "motion"])
@pytest.mark.parametrize("size", [1, 3, 7, 15])
def test_generated_kernels_are_valid(kind, size):
    source, rng = KernelSource(kind, size, [0.6, 2.0]), np.random.default_rng(0)
    made = [source.sample(rng) for _ in range(20)]
    assert all(kernel.shape == (size, size) and kernel.min() >= 0 and abs(kernel.sum() - 1) < 1e-12 for kernel in made)
    assert len({kernel.tobytes() for kernel in made}) == (1 if size == 1 else 20)
    assert np.array_equal(source.for_image(3), source.for_image(3))


def test_a_motion_kernel_is_a_path():
    kernel = motion_kernel(np.random.default_rng(1), 15)
    assert 4 < (kernel > 0).sum() < 15 * 15 / 2


def test_files_of_both_kinds_and_smaller_kernels(tmp_path):
    np.save(tmp_path / "a.npy", 3 * asymmetric_kernel(5))
    savemat(tmp_path / "b.mat", {"kernels": np.array([[asymmetric_kernel(7), asymmetric_kernel(3)]], dtype=object)})
    savemat(tmp_path / "c.mat", {"kernel": asymmetric_kernel(7)})
    kernels = read_kernels(str(tmp_path), 7)
    assert [kernel.shape for kernel in kernels] == [(7, 7)] * 4
    assert np.allclose(kernels[0][1:-1, 1:-1], asymmetric_kernel(5))
    assert np.allclose(kernels[2][2:-2, 2:-2], asymmetric_kernel(3))
    source = KernelSource(str(tmp_path), 7, [0.6, 2.0])
    assert [np.array_equal(source.for_image(index), kernels[index % 4]) for index in range(8)] == [True] * 8


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.ones((9, 9)), r"a blur kernel must be 7x7, or smaller with odd sides, got \(9, 9\)"),
        (np.ones((4, 4)), r"got \(4, 4\)"),
        (np.ones(7), r"got \(7,\)"),
        (np.zeros((7, 7)), "sums to 0"),
        (np.diag([-1.0, 1, 1, 1, 1, 1, 1]), "negative taps"),
        (np.full((7, 7), np.nan), "not finite"),
    ],
)
def test_a_file_without_a_valid_kernel_is_named(tmp_path, content, message):
    np.save(tmp_path / "bad.npy", content)
    with pytest.raises(UserError, match=f"bad.npy: .*{message}"):
        Blur(str(tmp_path / "bad.npy"))


def test_unreadable_files_and_options_are_named(tmp_path):
    (tmp_path / "broken.npy").write_text("no array")
    with pytest.raises(UserError, match="broken.npy: not a readable .npy file"):
        Blur(str(tmp_path / "broken.npy"))
    with pytest.raises(UserError, match="psf: motoin is neither gaussian, motion nor a file"):
        Blur("motoin")
    with pytest.raises(UserError, match="psf_size: must be odd and 1 or more, got 4"):
        Blur("motion", psf_size=4)
    with pytest.raises(UserError, match="psf_sigma: must be"):
        Blur("gaussian", psf_sigma=[2, 1])


# --- sections of option files ---


def test_a_section_is_built_with_the_scale_of_the_file():
    assert build_degradation({"type": "BicubicReduction"}, 4).scale == 4
    assert build_degradation({"type": "Blur", "psf": "motion"}, None).scale == 1
    assert build_degradation({"type": "GaussianNoise", "sigma": 5}, 4).largest == 5


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"type": "Noise"}, "degradation:type: must be one of GaussianNoise, BicubicReduction, Blur, got 'Noise'"),
        ({"type": "GaussianNoise", "sigm": 5}, "degradation: GaussianNoise has no option 'sigm'; did you mean sigma"),
        ({"type": "GaussianNoise"}, "degradation: GaussianNoise needs the option 'sigma'"),
    ],
)
def test_a_wrong_section_is_named(section, message):
    with pytest.raises(UserError, match=message):
        build_degradation(section, None)
