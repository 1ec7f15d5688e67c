"""A psf no larger than the scale: where it stays in its block padding is skipped, with the result of padding."""

import pytest
import torch
import torch.nn.functional as F
from oracle import solve_dense

from converse_basicsr import converse2d
from converse_basicsr.ops.prior import prior_image


@pytest.mark.parametrize("mode", ["replicate", "reflect", "circular", "constant"])
@pytest.mark.parametrize("prior", ["nearest", "zero", "bilinear", "bicubic"])
@pytest.mark.parametrize(("kernel_size", "scale"), [(1, 2), (2, 2), (2, 3), (3, 3)])
def test_padding_matches_dense_oracle_on_the_padded_signal(kernel_size, scale, prior, mode):
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(1, 2, 4, 5, generator=generator, dtype=torch.float64)
    psf = torch.randn(1, 2, kernel_size, kernel_size, generator=generator, dtype=torch.float64)
    lam = torch.full((1, 2, 1, 1), 0.3, dtype=torch.float64)
    padded = F.pad(y, (2, 2, 2, 2), mode)
    expected = solve_dense(padded, psf, lam, scale, prior_image(padded, scale, prior))
    inside = slice(2 * scale, -2 * scale)
    found = converse2d(y, psf, lam, scale, prior, padding=2, padding_mode=mode)
    torch.testing.assert_close(found, expected[..., inside, inside], rtol=0, atol=1e-10)
