"""The forward model that Converse2D inverts."""

import torch.nn.functional as F
from torch import Tensor

from .depthwise import depthwise


def blur_decimate(x: Tensor, psf: Tensor, scale: int = 1) -> Tensor:
    """A x: blur circularly, keep the top left sample of each s x s block.

    Args:
        x: (N, C, s*h, s*w).
        psf: (N or 1, C or 1, kh, kw), centre at tap (kh//2, kw//2).
        scale: s.

    Returns:
        (N, C, h, w).
    """
    kh, kw = psf.shape[-2:]
    x = F.pad(x, (kw - 1 - kw // 2, kw // 2, kh - 1 - kh // 2, kh // 2), "circular")
    return depthwise(F.conv2d, x, psf.flip(-2, -1), scale)
