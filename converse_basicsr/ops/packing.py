"""Between signals and what an FFT takes: padded to the torus, and two samples as one complex signal ("packed")."""

import torch
from torch import Tensor

from .borders import Margins, fill_border
from .fused import fused


def pack(y: Tensor, size: tuple[int, int], margins: Margins, mode: str, packed: bool) -> Tensor:
    """(N, ..., h, w), padded by mode to size (H, W): real (N, ..., H, W), or packed (N/2, ..., H, W)."""
    if not (packed or any(margins)):
        return y
    if kernels := fused(y):
        return kernels.pack(y, size, margins, mode, packed)
    if packed:
        n = y.shape[0] // 2
        z = y.new_empty(n, *y.shape[1:-2], *size, dtype=y.dtype.to_complex())
        torch.complex(y[:n], y[n:], out=margins.crop(z))
    else:
        z = y.new_empty(*y.shape[:-2], *size)
        margins.crop(z).copy_(y)
    fill_border(z, margins, mode)
    return z


def unpack(z: Tensor, margins: Margins, packed: bool) -> Tensor:
    """(N or N/2, ..., H, W), margins cropped: real (N, ..., h, w)."""
    if not (packed or any(margins)):
        return z.contiguous()
    if kernels := fused(z):
        return kernels.unpack(z, margins, packed)
    z = margins.crop(z)
    if not packed:
        return z.contiguous()
    n = z.shape[0]
    y = z.real.new_empty(2 * n, *z.shape[1:])
    y[:n] = z.real
    y[n:] = z.imag
    return y
