"""Classical methods without weights, with the interface of networks, so that a benchmark or a test can name them."""

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
