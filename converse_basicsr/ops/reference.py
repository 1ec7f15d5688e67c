"""The closed form as the papers print it: slow, and the yardstick that every other path is held against."""

import torch
from torch import Tensor

from .prior import Prior, prior_image
from .spectra import fold, psf2otf, tile_spectrum, zero_insert


def converse2d_reference(y: Tensor, psf: Tensor, lam: Tensor | float, scale: int = 1, x0: Prior = "nearest") -> Tensor:
    """Solve what :func:`converse_basicsr.converse2d` solves, by the literal closed form.

    Divides a difference of nearly equal numbers by lam: use float64 (in float32 the relative error is
    1e-5 to 1e-3). Same arguments, same result.

    Source: Huang et al., "Reverse Convolution and Its Applications to Image Restoration", ICCV 2025;
    after Zhao et al., "Fast Single Image Super-Resolution Using a New Analytical Solution for l2-l2
    Problems", IEEE TIP 2016.
    """
    height, width = y.shape[-2] * scale, y.shape[-1] * scale
    otf = psf2otf(psf, (height, width))
    x0 = prior_image(y, scale, x0)
    rhs = otf.conj() * torch.fft.fft2(zero_insert(y, scale)) + lam * torch.fft.fft2(x0)
    quotient = fold(otf * rhs, scale) / (fold(otf.abs().square(), scale) + lam)
    x_f = (rhs - otf.conj() * tile_spectrum(quotient, scale)) / lam
    return torch.fft.ifft2(x_f).real
