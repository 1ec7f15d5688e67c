"""Denoisers that are told the noise level."""

import torch
from torch import Tensor

from ..arguments import check_above_zero, check_count
from .method import NumpyMethod, by_channel


class BM3D(NumpyMethod):
    """Block matching and 3D filtering, as the package bm3d of its authors computes it; each channel alone.

    Source: Dabov et al., "Image Denoising by Sparse 3-D Transform-Domain Collaborative Filtering", IEEE TIP 2007;
    Mäkinen et al., "Collaborative Filtering of Correlated Noise", IEEE TIP 2020. The licence of bm3d allows
    non-commercial use only.

    Args:
        sigma (float): Standard deviation of the noise on the 0-255 scale. Default: 25.

    Shape: (N, C, H, W) in [0, 1] -> (N, C, H, W).
    """

    package = project = "bm3d"

    def __init__(self, sigma: float = 25):
        super().__init__()
        check_above_zero("sigma", sigma)
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        bm3d = self.imported().bm3d
        return torch.stack([by_channel(lambda channel: bm3d(channel, self.sigma / 255), image) for image in x])


class NonLocalMeans(NumpyMethod):
    """Non-local means, as scikit-image computes it (fast mode, the noise's share of distances subtracted).

    Source: Buades et al., "A Non-Local Algorithm for Image Denoising", CVPR 2005; Darbon et al., "Fast Nonlocal
    Filtering Applied to Electron Cryomicroscopy", ISBI 2008.

    Args:
        sigma (float): Standard deviation of the noise on the 0-255 scale. Default: 25.
        strength (float): The cut-off distance of patches, in sigmas: higher is smoother. Default: 0.7.
        patch_size (int): Side of the patches. Default: 5.
        patch_distance (int): Patches are searched up to that far away. Default: 6.

    Shape: (N, C, H, W) in [0, 1] -> (N, C, H, W).
    """

    def __init__(self, sigma: float = 25, strength: float = 0.7, patch_size: int = 5, patch_distance: int = 6):
        super().__init__()
        check_above_zero("sigma", sigma)
        check_above_zero("strength", strength)
        check_count("patch_size", patch_size)
        check_count("patch_distance", patch_distance)
        level = sigma / 255
        self.options = {
            "patch_size": patch_size,
            "patch_distance": patch_distance,
            "h": strength * level,
            "sigma": level,
            "fast_mode": True,
        }

    def forward(self, x: Tensor) -> Tensor:
        from skimage.restoration import denoise_nl_means

        return torch.stack(
            [by_channel(lambda channel: denoise_nl_means(channel, **self.options), image) for image in x]
        )
