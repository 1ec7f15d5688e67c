"""Restoring one image from Python."""

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..blur_kernels.choosing import choose_kernel
from ..errors import UserError
from ..inference import TILE_OVERLAP
from ..inference.deconvolution import LAM, STEPS, Deconvolution
from .kinds import Kind, kind_of
from .pixels import restore_pixels
from .restorer import Restorer

Progress = Callable[[int, int], None]


def restore(
    image: Any,
    network: nn.Module,
    *,
    kernel: str | os.PathLike | np.ndarray | Tensor | None = None,
    borders: str | None = None,
    scale: int | None = None,
    tile: int | None = None,
    overlap: int = TILE_OVERLAP,
    memory: int | str | None = None,
    x8: bool = False,
    consistency: str | np.ndarray | Tensor | None = None,
    consistency_lam: float | None = None,
    amp: bool = False,
    device: str | torch.device | None = None,
    channels: str = "y",
    progress: Progress | None = None,
) -> Any:
    """Restore an image with a network, and return the same kind of image.

    What the caller should know is said by warnings: tiles, a result repeated in float32, a kernel that was cropped.

    Args:
        image: numpy (H, W), (H, W, 1) gray, (H, W, 2) gray and alpha, (H, W, 3) RGB or (H, W, 4) RGBA, uint8, uint16
            or floating-point in [0, 1]; a Pillow image, whose EXIF orientation is applied; or a tensor (C, H, W) or
            (N, C, H, W) with C 1 or 3, of the same types of numbers. Results of integers are clipped and rounded,
            others are as the network gives them.
        network: of ``load_network``, or any module (N, C, h, w) -> (N, C, scale*h, scale*w). It is put into evaluation
            mode and moved to the device. A gray image is given to a network of 3 channels as three equal channels.
        kernel: the blur kernel, for a network that takes one: an array or tensor (kh, kw), or as in --kernel of the
            command: a file, 'gaussian:SIGMA[,SIGMA2,ANGLE]' or 'motion:LENGTH,ANGLE'.
        borders: for deblurring networks, which join opposite borders: 'replicate' (None) continues the image by its
            border pixels, as photographs need; 'circular' is for images that were blurred circularly.
        scale: the decimation factor for a network that takes a kernel; else the network has its own.
        tile: restore in tiles of that side, in pixels of the image. None: whole if `memory` allows, else in tiles.
        overlap: neighbouring tiles share at least so many pixels.
        memory: most memory to use, in bytes or as '4GB'. None: what is free, less a margin.
        x8: average over the 8 flips and transposes.
        consistency: change the result as little as possible so that it reduces to the image: 'bicubic' for images that
            were made smaller by MATLAB's imresize or alike, or a blur kernel as in `kernel` (docs/consistency.md).
        consistency_lam: the weight of the network's result in that, > 0 (default 0.01).
        amp: compute in bfloat16 (float16 on a GPU without it) where autocast allows.
        device: 'cpu', 'cuda', 'cuda:1', 'mps'. None: the network's.
        channels: for a colour image and a network of one channel: 'y' restores the luma, 'each' every channel.
        progress: called as progress(done, total) for each tile.

    Raises:
        UserError: an argument does not fit the network or the image, or memory does not suffice for a small tile.
    """
    kind, notes = kind_of(image), []
    kernel = None if kernel is None else choose_kernel(kernel)
    restorer = Restorer(
        network,
        kernel=kernel,
        borders=borders,
        scale=scale,
        tile=tile,
        overlap=overlap,
        memory=memory,
        x8=x8,
        consistency=consistency,
        consistency_lam=consistency_lam,
        amp=amp,
        device=device,
        channels=channels,
        note=notes.append,
    )
    restored = _restored(kind, restorer, progress)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return restored


def deconvolve(
    image: Any,
    kernel: str | os.PathLike | np.ndarray | Tensor,
    lam: float = LAM,
    scale: int = 1,
    borders: str = "replicate",
    steps: int = STEPS,
) -> Any:
    """Deblur, and enlarge by `scale`, with the closed form of Converse2D; no weights are needed.

    Args:
        image, kernel: as for restore; the kernel is that of the enlarged image.
        lam: the weight of the prior, above 0: small sharpens more, large amplifies noise less.
        scale: the decimation factor.
        borders: 'replicate' for photographs, or 'circular' for images blurred circularly.
        steps: how often the operator is applied; 1 is the closed form alone.

    Raises:
        UserError: an argument is not valid.

    Source: Huang et al., ICCV 2025 (docs/operator.md).
    """
    kind, notes = kind_of(image), []
    network = Deconvolution(choose_kernel(kernel), lam, scale, borders, steps)
    restored = _restored(kind, Restorer(network, note=notes.append), None)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return restored


def _restored(kind: Kind, restorer: Restorer, progress: Progress | None) -> Any:
    if kind.pixels.size == 0:
        raise UserError(f"image: must have pixels, got shape {tuple(kind.pixels.shape)}")
    return kind.back(*restore_pixels(restorer, kind.pixels, kind.alpha, progress))
