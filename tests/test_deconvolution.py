"""deconvolve: the operator without weights."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from converse_basicsr import converse2d, deconvolve
from converse_basicsr.errors import UserError
from converse_basicsr.ops import blur_decimate
from converse_basicsr.ops.steps import smoothed

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (20, 28, 3), dtype=np.uint8)
UNIT = RANDOM.random((20, 28, 3))


@pytest.mark.parametrize("scale", [1, 2])
def test_deconvolve_is_converse2d(scale):
    kernel = RANDOM.random((5, 5)).astype(np.float32)
    kernel /= kernel.sum()
    x = torch.from_numpy(UNIT.astype(np.float32)).permute(2, 0, 1)[None]
    psf = torch.from_numpy(kernel)[None, None]
    prior = "nearest" if scale == 1 else "bicubic"
    circular = converse2d(x, psf, 0.01, scale, prior)
    torch.testing.assert_close(deconvolve(x, kernel, 0.01, scale, "circular", steps=1), circular)
    margin = 20
    padded = F.pad(x, [margin] * 4, "replicate")
    replicate = converse2d(padded, psf, 0.02, scale, prior)[..., margin * scale : -margin * scale, :]
    torch.testing.assert_close(
        deconvolve(x, kernel, scale=scale, steps=1), replicate[..., margin * scale : -margin * scale]
    )
    assert not torch.allclose(deconvolve(x, kernel, scale=scale), deconvolve(x, kernel, scale=scale, steps=1))


def test_many_steps_of_deconvolve_reach_the_minimiser():
    """Of ||y - A x||^2 + lam <x, (1 - S) x>, which is a filter: S removes the highest frequencies alone."""
    x = torch.rand(1, 1, 12, 16, generator=torch.Generator().manual_seed(0)).double()
    delta = torch.zeros(1, 1, 12, 16).double()
    delta[..., 0, 0] = 1
    smoothing = torch.fft.fft2(smoothed(delta)).real
    psf = torch.tensor([[1.0, 2, 1]]) / 4
    otf = torch.fft.fft2(blur_decimate(delta, psf.double()[None, None])).real
    expected = torch.fft.ifft2(otf * torch.fft.fft2(x) / (otf**2 + 0.5 * (1 - smoothing))).real
    solved = deconvolve(x, psf, 0.5, borders="circular", steps=100)
    torch.testing.assert_close(solved, expected.to(solved), rtol=0, atol=1e-3)


def test_deconvolve_sharpens_and_keeps_the_kind():
    smooth = F.interpolate(torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)), scale_factor=8)
    sharp = (smooth[0, 0].numpy() * 255).round().astype(np.uint8)
    kernel = np.full((3, 5), 1 / 15)
    psf = torch.from_numpy(kernel).float()[None, None]
    blurred = blur_decimate(torch.from_numpy(sharp / np.float32(255))[None, None], psf)[0, 0].numpy()
    restored = deconvolve((blurred * 255).round().astype(np.uint8), kernel, 0.002, borders="circular")
    error = [np.abs(image - sharp.astype(float)).mean() for image in (restored, blurred * 255)]
    assert restored.dtype == np.uint8 and restored.shape == sharp.shape and error[0] < 0.5 * error[1]
    assert deconvolve(Image.fromarray(sharp), kernel).mode == "L"
    assert deconvolve(RGB, kernel).shape == RGB.shape


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"lam": 0}, "lam: must be a number above 0, got 0"),
        ({"lam": float("nan")}, "lam: must be a number above 0, got nan"),
        ({"lam": "0.1"}, "lam: must be a number above 0, got '0.1'"),
        ({"scale": 0}, "scale: must be an integer from 1 to 8, got 0"),
        ({"steps": 0}, "steps: must be an integer from 1 to 100, got 0"),
        ({"borders": "zero"}, "borders: must be replicate or circular, got 'zero'"),
    ],
)
def test_options_of_deconvolve_that_are_refused(options, reason):
    with pytest.raises(UserError, match=reason):
        deconvolve(RGB, "gaussian:1", **options)
