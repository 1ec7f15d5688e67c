"""Classical methods as networks: they restore, and equal the packages that compute them."""

import sys

import numpy as np
import pytest
import torch
from skimage import restoration

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr import classical
from converse_basicsr.benchmark.converse import holds_converse
from converse_basicsr.errors import UserError
from converse_basicsr.inference.calling import call_network, takes_kernel
from converse_basicsr.inference.deconvolution import Deconvolution
from converse_basicsr.ops import converse2d
from converse_basicsr.ops.blur import blur_decimate

from basicsr.archs import build_network
from basicsr.utils.matlab_functions import imresize

NEEDS = {"BM3D": "bm3d"}  # packages that need not be installed
DENOISERS = ("BM3D", "NonLocalMeans")
DECONVOLUTIONS = ("ConverseDeconvolution", "Wiener", "UnsupervisedWiener", "RichardsonLucy")


def build(name: str, **options) -> torch.nn.Module:
    pytest.importorskip(NEEDS.get(name, "skimage"))
    return build_network({"type": name, **options}).eval()


def picture(channels: int = 3, side: int = 48) -> torch.Tensor:
    """(1, C, side, side): waves and an edge."""
    wave = torch.linspace(0, 6, side)
    planes = [0.5 + 0.3 * torch.sin(wave[:, None] * (c + 1) + wave) + 0.15 * (wave > 3) for c in range(channels)]
    return torch.stack(planes)[None]


def kernel() -> torch.Tensor:
    taps = torch.rand(5, 5, generator=torch.Generator().manual_seed(3))  # not symmetric: a flip would show
    return (taps / taps.sum())[None, None]


def blurred(x: torch.Tensor, scale: int = 1) -> torch.Tensor:
    noise = torch.randn(x[..., ::scale, ::scale].shape, generator=torch.Generator().manual_seed(0))
    return blur_decimate(x, kernel(), scale) + 0.002 * noise


def error(x: torch.Tensor, y: torch.Tensor) -> float:
    return (x - y).square().mean().item()


@pytest.mark.parametrize("name", DENOISERS)
def test_denoisers_remove_noise(name):
    x = picture()
    noisy = x + 25 / 255 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    restored = build(name, sigma=25)(noisy)
    assert restored.shape == x.shape and restored.dtype == x.dtype
    assert error(restored, x) < 0.4 * error(noisy, x)
    assert not torch.equal(build(name, sigma=50)(noisy), restored)


@pytest.mark.parametrize("name", DECONVOLUTIONS)
def test_deconvolutions_remove_blur(name):
    x = picture()
    y = blurred(x)
    method = build(name)
    assert takes_kernel(method)
    restored = call_network(method, y, kernel(), 1)
    assert restored.shape == x.shape and restored.dtype == x.dtype
    assert error(restored, x) < 0.7 * error(y, x)


@pytest.mark.parametrize("name", [*DENOISERS, *DECONVOLUTIONS, "Bicubic"])
def test_images_of_a_batch_do_not_mix(name):
    method = build(name)
    x = torch.cat([picture(1), 1 - picture(1).mT])
    inputs = (kernel().expand(2, -1, -1, -1), 1) if takes_kernel(method) else ()
    together = method(x, *inputs)
    for place in range(2):
        single = (kernel(), 1) if inputs else ()
        alone = method(x[place : place + 1], *single)
        torch.testing.assert_close(alone, together[place : place + 1], atol=1e-6, rtol=0)  # bm3d varies by rounding


def test_they_equal_their_packages():
    y, psf = blurred(picture(1)), kernel()
    image, taps = y[0, 0].double().numpy(), psf[0, 0].double().numpy()
    expected = {
        "Wiener": restoration.wiener(image, taps, 0.02),
        "UnsupervisedWiener": restoration.unsupervised_wiener(image, taps, rng=0)[0],
    }
    for name, values in expected.items():
        options = {"balance": 0.02} if name == "Wiener" else {}
        np.testing.assert_allclose(build(name, **options)(y, psf)[0, 0].numpy(), values, atol=1e-6)
    ours = build("ConverseDeconvolution", lam=0.03)(y, psf)
    torch.testing.assert_close(ours, converse2d(y, psf, 0.03, 1, "nearest", 0, "circular"))
    steps = build("ConverseDeconvolution", lam=0.03, steps=3)(y, psf)
    torch.testing.assert_close(steps, Deconvolution(psf[0, 0].numpy(), 0.03, borders="circular", steps=3)(y))
    assert (steps - ours).abs().max() > 1e-3


def test_bm3d_equals_its_package():
    bm3d = pytest.importorskip("bm3d")
    noisy = picture(1) + 0.1 * torch.randn(1, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    expected = bm3d.bm3d(noisy[0, 0].double().numpy(), 20 / 255)
    np.testing.assert_allclose(build("BM3D", sigma=20)(noisy)[0, 0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("upscale", [2, 3, 4])
def test_bicubic_is_matlabs(upscale):
    x = picture(3, 20)[..., :17]
    expected = imresize(x[0], upscale)
    torch.testing.assert_close(build("Bicubic", upscale=upscale)(x)[0], expected, atol=1e-6, rtol=0)


def test_richardson_lucy_wraps_around():
    """A circular shift of the input shifts the result, also across the border, which zeros around it would not."""
    y, method = blurred(picture(1)), build("RichardsonLucy", num_iter=5)
    restored, shifted = method(y, kernel()), method(y.roll((7, 5), (-2, -1)), kernel())
    assert (shifted - restored.roll((7, 5), (-2, -1))).abs().max() < 4e-3
    taps = kernel()[0, 0].double().numpy()
    with_zeros = restoration.richardson_lucy(y[0, 0].double().numpy(), taps, 5)
    assert np.abs(with_zeros - restored[0, 0].numpy()).max() > 4e-2


def test_the_closed_form_enlarges_too():
    x = picture()
    y = blurred(x, scale=2)
    assert build("ConverseDeconvolution")(y, kernel(), 2).shape == x.shape
    with pytest.raises(ValueError, match="Wiener deblurs at scale 1, got 2"):
        build("Wiener")(y, kernel(), 2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("BM3D", {"sigma": 0}, "sigma must be a number above 0, got 0"),
        ("NonLocalMeans", {"sigma": "25"}, "sigma must be a number above 0, got '25'"),
        ("NonLocalMeans", {"strength": -1}, "strength must be a number above 0"),
        ("NonLocalMeans", {"patch_size": 2.5}, "patch_size must be an integer of 1 or more, got 2.5"),
        ("NonLocalMeans", {"patch_distance": 0}, "patch_distance must be an integer of 1 or more, got 0"),
        ("Bicubic", {"upscale": 0}, "upscale must be an integer of 1 or more, got 0"),
        ("ConverseDeconvolution", {"lam": True}, "lam must be a number above 0, got True"),
        ("ConverseDeconvolution", {"borders": "zero"}, "borders must be replicate or circular, got 'zero'"),
        ("Wiener", {"balance": 0}, "balance must be a number above 0"),
        ("ConverseDeconvolution", {"steps": 1.5}, "steps must be an integer of 1 or more, got 1.5"),
        ("RichardsonLucy", {"num_iter": 0}, "num_iter must be an integer of 1 or more, got 0"),
    ],
)
def test_a_wrong_option_is_named(name, options, message):
    pytest.importorskip(NEEDS.get(name, "skimage"))
    with pytest.raises(ValueError, match=message):
        getattr(classical, name)(**options)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(UserError, match="BM3D needs pip install bm3d"):
        classical.BM3D()


def test_only_the_closed_form_is_the_operator():
    assert [name for name in classical.METHODS if name != "BM3D" and holds_converse(build(name))] == [
        "ConverseDeconvolution"
    ]
