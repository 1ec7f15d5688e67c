"""The FFTs of awkward sizes: ducc0's are torch's."""

import pytest
import torch

from converse_basicsr import converse2d
from converse_basicsr.ops import fft

SIZES = [(74, 12), (12, 74), (37, 37), (82, 111), (8, 9)]


@pytest.fixture(params=["ducc0", "torch"])
def library(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(fft, "ducc", lambda: None)
    else:
        pytest.importorskip("ducc0")
    return request.param


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_transforms_are_those_of_torch(library, size, dtype):
    y = torch.randn(2, 3, *size, dtype=dtype)
    z = torch.complex(y, torch.randn_like(y))
    cells = size[0] * size[1]

    def compare(found, expected):
        tolerance = 100 * torch.finfo(dtype).eps * expected.abs().max().item()
        torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)

    compare(fft.fft2(z), torch.fft.fft2(z))
    compare(fft.fft2(z.conj()), torch.fft.fft2(z.conj()))
    compare(fft.ifft2(z.mT.contiguous().mT), torch.fft.ifft2(z) * cells)
    compare(fft.rfft2(y), torch.fft.rfft2(y))
    y_f = torch.fft.rfft2(y)
    kept = y_f.clone()
    compare(fft.irfft2(y_f, size), y * cells)
    assert torch.equal(y_f, kept)


@pytest.mark.parametrize("batch", [1, 2])
def test_the_operator_and_its_gradients_do_not_depend_on_the_library(batch, monkeypatch):
    pytest.importorskip("ducc0")
    y, psf = torch.randn(batch, 2, 74, 38).double(), torch.rand(1, 2, 5, 5).double()
    results = []
    for library in (fft.ducc(), None):
        monkeypatch.setattr(fft, "ducc", lambda library=library: library)
        leaves = [x.clone().requires_grad_() for x in (y, psf)]
        x = converse2d(*leaves, 0.1)
        results.append([x.detach(), *torch.autograd.grad(x.square().sum(), leaves)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("side", "factor", "awkward"),
    [(268, 67, True), (74, 37, True), (136, 17, False), (128, 2, False), (109, 109, False), (1, 1, False)],
)
def test_which_sizes_are_awkward(side, factor, awkward):
    assert fft.largest_prime_factor(side) == factor
    assert fft.is_ducc_size(side, 8) == fft.is_ducc_size(8, side) == awkward
