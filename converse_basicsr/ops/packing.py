"""Between signals and what an FFT takes: padded to the torus, and two samples as one complex signal ("packed")."""

import torch
from torch import Tensor

from .borders import Margins, fill_border
from .fused import fused


def pack(
    y: Tensor, size: tuple[int, int], margins: Margins, mode: str, packed: bool, exchanged: bool = False
) -> Tensor:
    """(N, ..., h, w), padded by mode to size (H, W): real (N, ..., H, W), or packed (N/2, ..., H, W).

    exchanged: pairs as x2 + i*x1 (by plain torch: the kernels conjugate in registers and need it not).
    """
    if not (packed or any(margins)):
        return y
    if (kernels := fused(y)) and not exchanged:
        return kernels.pack(y, size, margins, mode, packed)
    create = y.new_zeros if mode == "constant" else y.new_empty
    if packed:
        real, imag = reversed(y.chunk(2)) if exchanged else y.chunk(2)
        z = create(*real.shape[:-2], *size, dtype=y.dtype.to_complex())
        torch.complex(real, imag, out=margins.crop(z))
    else:
        z = create(*y.shape[:-2], *size)
        margins.crop(z).copy_(y)
    fill_border(z, margins, mode)
    return z


def unpack(z: Tensor, margins: Margins, packed: bool, exchanged: bool = False) -> Tensor:
    """(N or N/2, ..., H, W), margins cropped: real (N, ..., h, w)."""
    if not (packed or any(margins)):
        return z.contiguous()
    if (kernels := fused(z)) and not exchanged:
        return kernels.unpack(z, margins, packed)
    z = margins.crop(z)
    if not packed:
        return z.contiguous()
    return torch.cat((z.imag, z.real) if exchanged else (z.real, z.imag))
