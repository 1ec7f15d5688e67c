"""The maps between grids and their spectra, held against sums written out."""

import pytest
import torch

from converse_basicsr.ops.adjoint import adjoint_bank
from converse_basicsr.ops.reference import fold, psf2otf, tile_spectrum, zero_insert


@pytest.mark.parametrize("size", [(6, 7), (4, 4), (2, 3)])
@pytest.mark.parametrize("taps", [(1, 1), (3, 3), (4, 5), (7, 2)])
def test_psf2otf_is_the_sum_over_centred_taps(size, taps):
    psf = torch.randn(2, *taps, dtype=torch.float64)
    expected = torch.zeros(2, *size, dtype=torch.complex128)
    for a in range(taps[0]):
        for b in range(taps[1]):
            f = torch.arange(size[0], dtype=torch.float64)[:, None] * (a - taps[0] // 2) / size[0]
            g = torch.arange(size[1], dtype=torch.float64) * (b - taps[1] // 2) / size[1]
            expected += psf[:, a, b, None, None] * torch.exp(-2j * torch.pi * (f + g))
    torch.testing.assert_close(psf2otf(psf, size), expected)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_zero_insert_and_tile_spectrum_are_one_thing(scale):
    y = torch.randn(2, 4, 5, dtype=torch.float64)
    fine = zero_insert(y, scale)
    assert torch.equal(fine[..., ::scale, ::scale], y)
    assert fine.count_nonzero() == y.numel()
    torch.testing.assert_close(torch.fft.fft2(fine), tile_spectrum(torch.fft.fft2(y), scale))


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_fold_is_the_spectrum_of_the_decimated_signal(scale):
    x = torch.randn(2, 4 * scale, 5 * scale, dtype=torch.float64)
    torch.testing.assert_close(fold(torch.fft.fft2(x), scale), torch.fft.fft2(x[..., ::scale, ::scale]))


@pytest.mark.parametrize("taps", [(3, 3), (2, 2), (5, 4), (7, 7)])
def test_adjoint_bank_at_scale_1_is_the_conjugate_otf(taps):
    psf = torch.randn(2, 3, *taps, dtype=torch.float64)
    expected = psf2otf(psf, (6, 9)).conj()[..., :5]
    torch.testing.assert_close(adjoint_bank(psf, (6, 9), 1, 5).squeeze(-3), expected)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("taps", [(3, 3), (2, 2), (5, 4)])
def test_adjoint_bank_is_the_polyphase_of_the_flipped_psf(scale, taps):
    psf = torch.randn(2, *taps, dtype=torch.float64)
    fine = torch.fft.ifft2(psf2otf(psf, (4 * scale, 5 * scale)).conj()).real
    expected = [torch.fft.rfft2(fine[..., i::scale, j::scale]) for i in range(scale) for j in range(scale)]
    torch.testing.assert_close(adjoint_bank(psf, (4, 5), scale, 3), torch.stack(expected, -3))
