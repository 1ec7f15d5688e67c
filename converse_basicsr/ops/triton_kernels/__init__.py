"""Memory-bound passes over spectra and signals, fused in Triton. Use `dispatch.triton_kernels` to get this package.

Offsets are 64-bit (32-bit within a plane), sums run in a fixed order, and nothing waits for the device: results are
designed to be deterministic, and a CUDA graph to capture every call whose kernels an earlier call has compiled.
"""

from .inverse import inverse_filter, inverse_filter_gradients
from .launching import start_driver
from .packing import pack, unpack
from .products import multiply, multiply_gradients

__all__ = [
    "inverse_filter",
    "inverse_filter_gradients",
    "multiply",
    "multiply_gradients",
    "pack",
    "start_driver",
    "unpack",
]
