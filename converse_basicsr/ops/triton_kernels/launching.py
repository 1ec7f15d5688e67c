"""Shared by all kernels: launching, and reading and writing complex numbers."""

import torch
import triton
import triton.language as tl
from torch import Tensor

if not hasattr(tl, "join"):
    raise ImportError("Triton 3.0 or later is needed")

BLOCK = 512  # elements of each tensor per program


def start_driver() -> None:
    """Build and load Triton's launcher; any exception means that Triton does not work here."""
    _ = triton.runtime.driver.active.utils


def launch(kernel, programs: int, *tensors: Tensor, **options) -> None:
    """Run `programs` programs of the kernel on the device of the tensors; complex numbers are passed as pairs."""
    with torch.cuda.device_of(tensors[0]):
        kernel[(programs,)](*(torch.view_as_real(x) if x.is_complex() else x for x in tensors), **options)


def dense(x: Tensor) -> Tensor:
    """x contiguous, without a lazy conjugate."""
    return x.resolve_conj().contiguous()


@triton.jit
def load_complex(pointer, offsets, mask):
    """Real and imaginary parts of the complex numbers at offsets (int64); 0 outside the mask."""
    pairs = pointer + 2 * tl.expand_dims(offsets, -1) + tl.arange(0, 2)
    return tl.split(tl.load(pairs, mask=tl.expand_dims(mask, -1), other=0))


@triton.jit
def store_complex(pointer, offsets, mask, real, imag):
    pairs = pointer + 2 * tl.expand_dims(offsets, -1) + tl.arange(0, 2)
    tl.store(pairs, tl.join(real, imag), mask=tl.expand_dims(mask, -1))
