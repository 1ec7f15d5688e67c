"""Deconvolutions that are given the blur kernel: Converse2D alone, and those of scikit-image.

Shape of all: (N, C, H, W) and the kernel (N, 1, k, k) -> (N, C, H, W), at scale 1.
"""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from ..arguments import check_above_zero, check_count
from ..inference.deconvolution import BORDERS, Deconvolution
from .method import NumpyMethod, by_channel


class ConverseDeconvolution(nn.Module):
    """The closed form of Converse2D as a deconvolution, with nothing learned; also with a scale above 1.

    Args:
        lam (float): Weight of the prior, which is the input itself (bicubic for a scale above 1). Default: 0.05.
        borders (str): 'circular' or 'replicate'. Default: 'circular', as the paper's blur.
        steps (int): How often the operator is applied; the prior of a further step is the solution so far, smoothed.
            Default: 1.
    """

    def __init__(self, lam: float = 0.05, borders: str = "circular", steps: int = 1):
        super().__init__()
        check_above_zero("lam", lam)
        if borders not in BORDERS:
            raise ValueError(f"borders must be {' or '.join(BORDERS)}, got {borders!r}")
        self.lam = lam
        check_count("steps", steps)
        self.borders = borders
        self.steps = steps

    def forward(self, x: Tensor, kernel: Tensor, scale: int = 1) -> Tensor:
        psfs = kernel[:, 0].cpu().numpy()
        restored = [
            Deconvolution(psf, self.lam, scale, self.borders, self.steps)(image[None])
            for image, psf in zip(x, psfs, strict=True)
        ]
        return torch.cat(restored)


class SkimageDeconvolution(NumpyMethod, ABC):
    """A deconvolution of scikit-image."""

    def forward(self, x: Tensor, kernel: Tensor, scale: int = 1) -> Tensor:
        if scale != 1:
            raise ValueError(f"{type(self).__name__} deblurs at scale 1, got {scale}")
        psfs = kernel[:, 0].cpu().double().numpy()
        restored = [
            by_channel(lambda channel, psf=psf: self.deconvolve(channel, psf), image)
            for image, psf in zip(x, psfs, strict=True)
        ]
        return torch.stack(restored)

    @abstractmethod
    def deconvolve(self, image: np.ndarray, psf: np.ndarray) -> np.ndarray:
        """(H, W) and (k, k) -> (H, W)."""


class Wiener(SkimageDeconvolution):
    """Wiener filter with a Laplacian as regularisation: skimage.restoration.wiener.

    Args:
        balance (float): Weight of the regularisation. Default: 0.01.
    """

    def __init__(self, balance: float = 0.01):
        super().__init__()
        check_above_zero("balance", balance)
        self.balance = balance

    def deconvolve(self, image: np.ndarray, psf: np.ndarray) -> np.ndarray:
        from skimage.restoration import wiener

        return wiener(image, psf, self.balance)


class UnsupervisedWiener(SkimageDeconvolution):
    """Wiener filter that estimates its parameters from the image: skimage.restoration.unsupervised_wiener, seed 0.

    Source: Orieux et al., "Bayesian estimation of regularization and point spread function parameters for
    Wiener-Hunt deconvolution", JOSA A 2010.
    """

    def deconvolve(self, image: np.ndarray, psf: np.ndarray) -> np.ndarray:
        from skimage.restoration import unsupervised_wiener

        return unsupervised_wiener(image, psf, rng=0)[0]


class RichardsonLucy(SkimageDeconvolution):
    """Richardson-Lucy iterations: skimage.restoration.richardson_lucy, of the image clipped to [0, 1].

    The image is extended circularly by two kernels, as the paper's blur wraps around; beyond that there are zeros.

    Args:
        num_iter (int): Number of iterations. Default: 10.
    """

    def __init__(self, num_iter: int = 10):
        super().__init__()
        check_count("num_iter", num_iter)
        self.num_iter = num_iter

    def deconvolve(self, image: np.ndarray, psf: np.ndarray) -> np.ndarray:
        from skimage.restoration import richardson_lucy

        margin = 2 * max(psf.shape)
        extended = np.pad(image.clip(0, 1), margin, mode="wrap")
        return richardson_lucy(extended, psf, self.num_iter)[margin:-margin, margin:-margin]
