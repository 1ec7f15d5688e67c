"""Every option of a classical method reaches the method."""

import numpy as np
import pytest
import torch
from skimage import restoration

from converse_basicsr import classical
from converse_basicsr.ops import blur_decimate

CHANGES = [  # method, and an option that is not the default
    ("NonLocalMeans", {"sigma": 15}),
    ("NonLocalMeans", {"strength": 1.2}),
    ("NonLocalMeans", {"patch_size": 3}),
    ("NonLocalMeans", {"patch_distance": 2}),
    ("Wiener", {"balance": 0.1}),
    ("RichardsonLucy", {"num_iter": 3}),
    ("ConverseDeconvolution", {"lam": 0.5}),
    ("ConverseDeconvolution", {"borders": "replicate"}),
    ("ConverseDeconvolution", {"steps": 2}),
    ("BM3D", {"sigma": 15}),
]


def picture() -> torch.Tensor:
    """(1, 1, 24, 20): waves and noise."""
    wave = torch.linspace(0, 6, 24)[:, None] + torch.linspace(0, 5, 20)
    noise = torch.randn(24, 20, generator=torch.Generator().manual_seed(0))
    return (0.5 + 0.3 * torch.sin(wave) + 0.05 * noise)[None, None]


def restored(name: str, options: dict) -> torch.Tensor:
    if name == "BM3D":
        pytest.importorskip("bm3d")
    method, x = getattr(classical, name)(**options), picture()
    if name in ("NonLocalMeans", "BM3D"):
        return method(x)
    kernel = torch.full((1, 1, 3, 3), 1 / 9)
    return method(blur_decimate(x, kernel), kernel)


@pytest.mark.parametrize(("name", "option"), CHANGES, ids=str)
def test_an_option_changes_the_result(name, option):
    assert (restored(name, option) - restored(name, {})).abs().max() > 1e-3


def test_non_local_means_are_those_of_scikit_image():
    image = picture()[0, 0].double().numpy()
    expected = restoration.denoise_nl_means(
        image, patch_size=3, patch_distance=4, h=1.2 * 15 / 255, sigma=15 / 255, fast_mode=True
    )
    options = {"sigma": 15, "strength": 1.2, "patch_size": 3, "patch_distance": 4}
    np.testing.assert_allclose(restored("NonLocalMeans", options)[0, 0], expected, atol=1e-6)
