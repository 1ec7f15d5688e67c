"""Between signals and what an FFT takes: padded to the torus, and two samples as one complex signal ("packed")."""

import torch
from torch import Tensor

from .borders import fill_border
from .fused import fused


def pack(y: Tensor, size: tuple[int, int], padding: int, mode: str, packed: bool) -> Tensor:
    """(N, ..., h, w), padded by mode to size (H, W): real (N, ..., H, W), or packed (N/2, ..., H, W)."""
    if not (packed or padding):
        return y
    if kernels := fused(y):
        return kernels.pack(y, size, padding, mode, packed)
    interior = ..., slice(padding, size[0] - padding), slice(padding, size[1] - padding)
    if packed:
        n = y.shape[0] // 2
        z = y.new_empty(n, *y.shape[1:-2], *size, dtype=y.dtype.to_complex())
        torch.complex(y[:n], y[n:], out=z[interior])
    else:
        z = y.new_empty(*y.shape[:-2], *size)
        z[interior] = y
    fill_border(z, padding, mode)
    return z


def unpack(z: Tensor, padding: int, packed: bool) -> Tensor:
    """(N or N/2, ..., H, W), cropped by padding on all sides: real (N, ..., h, w)."""
    if not (packed or padding):
        return z.contiguous()
    if kernels := fused(z):
        return kernels.unpack(z, padding, packed)
    z = z[..., padding : z.shape[-2] - padding, padding : z.shape[-1] - padding]
    if not packed:
        return z.contiguous()
    n = z.shape[0]
    y = z.real.new_empty(2 * n, *z.shape[1:])
    y[:n] = z.real
    y[n:] = z.imag
    return y
