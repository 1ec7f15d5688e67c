"""The passes over spectra and signals that memory bounds, fused in Triton. Import it through `fused` alone.

Offsets are 64-bit, save within a plane, sums run in a fixed order, and nothing waits for the device: results are
deterministic, and a CUDA graph can capture every call whose kernels were compiled by a call before it.
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
