"""Classical methods without weights. They have the interface of networks, so benchmarks and tests can use them."""

from .deblurring import ConverseDeconvolution, RichardsonLucy, UnsupervisedWiener, Wiener
from .denoising import BM3D, NonLocalMeans
from .method import NumpyMethod
from .upsampling import Bicubic

__all__ = [
    "BM3D",
    "Bicubic",
    "ConverseDeconvolution",
    "NonLocalMeans",
    "NumpyMethod",
    "RichardsonLucy",
    "UnsupervisedWiener",
    "Wiener",
]
METHODS = tuple(name for name in __all__ if name != "NumpyMethod")
