"""Unscaled FFTs of the last two dimensions; on a CPU, sizes that torch is slow at use ducc0 if it is installed.

Torch's CPU library is slow where a side has a large prime factor; ducc0 is faster there unless the side is itself
prime (docs/speed.md has measurements).
"""

from functools import lru_cache

import torch
from torch import Tensor

DIMS = (-2, -1)


def fft2(z: Tensor) -> Tensor:
    """(..., H, W) complex -> its spectrum."""
    if _uses_ducc(z):
        return _ducc("c2c", z, forward=True)
    return torch.fft.fft2(z)


def ifft2(z_f: Tensor) -> Tensor:
    """(..., H, W) complex -> H*W times the signal."""
    if _uses_ducc(z_f):
        return _ducc("c2c", z_f, forward=False)
    return torch.fft.ifft2(z_f, norm="forward")


def rfft2(y: Tensor) -> Tensor:
    """(..., H, W) real -> half spectrum (..., H, W//2 + 1)."""
    if _uses_ducc(y):
        return _ducc("r2c", y, forward=True)
    return torch.fft.rfft2(y)


def irfft2(y_f: Tensor, size: tuple[int, int]) -> Tensor:
    """Half spectrum -> H*W times the real signal (..., H, W)."""
    if _uses_ducc(y_f, size):
        return _ducc("c2r", y_f, forward=False, lastsize=size[1])
    return torch.fft.irfft2(y_f, s=size, norm="forward")


@lru_cache(maxsize=256)
def is_ducc_size(height: int, width: int) -> bool:
    """Whether a side has a prime factor above 31 and is not itself prime."""
    return any(31 < largest_prime_factor(side) < side for side in (height, width))


@lru_cache(maxsize=256)
def fast_fft_size(size: int) -> int:
    """The smallest size >= this one without a prime factor above 7: FFTs of such sizes are fastest."""
    while largest_prime_factor(size) > 7:
        size += 1
    return size


def largest_prime_factor(number: int) -> int:
    """The largest prime factor; 1 for 1."""
    largest, factor = 1, 2
    while number > 1:
        if number % factor == 0:
            largest = factor
            number //= factor
        else:
            factor += 1
    return largest


@lru_cache(maxsize=1)
def ducc():
    """The module ducc0, or None where it is not installed."""
    try:
        import ducc0
    except ImportError:
        return None
    return ducc0


def _uses_ducc(x: Tensor, size: tuple[int, int] | None = None) -> bool:
    return x.device.type == "cpu" and is_ducc_size(*(size or x.shape[-2:])) and ducc() is not None


def _ducc(kind: str, x: Tensor, **options) -> Tensor:
    transform = getattr(ducc().fft, kind)
    array = x.detach().resolve_conj().numpy()
    return torch.from_numpy(transform(array, axes=DIMS, nthreads=torch.get_num_threads(), **options))
