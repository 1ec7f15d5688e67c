"""Kinds of images: numpy arrays, Pillow images and tensors, taken apart into pixels and alpha, and put together."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..errors import UserError

_WITH_ALPHA = (2, 4)  # samples per pixel
_FLOATS = (np.float16, np.float32, np.float64)
_PILLOW = {"1": "L", "P": "RGB", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB"}


class Kind(ABC):
    """An image.

    Attributes:
        pixels: (N, H, W, C) with C 1 or 3 (any number for tensors), uint8, uint16 or floating-point.
        alpha: (N, H, W) of the same type, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None

    @abstractmethod
    def back(self, pixels: np.ndarray, alpha: np.ndarray | None) -> Any:
        """Restored pixels and alpha as the same kind of image."""


def kind_of(image: Any) -> Kind:
    """The kind of an image.

    Raises:
        UserError: it is none of them, or its shape, mode or type of numbers is not supported.
    """
    for accepted, kind in ((np.ndarray, Array), (Tensor, TensorImage), (Image.Image, PillowImage)):
        if isinstance(image, accepted):
            return kind(image)
    raise UserError(f"image: must be a numpy array, a Pillow image or a tensor, got {type(image).__name__}")


class Array(Kind):
    """A numpy array (H, W) or (H, W, 1 to 4)."""

    def __init__(self, image: np.ndarray):
        if image.dtype not in (np.uint8, np.uint16, *_FLOATS):
            raise UserError(f"image: must be uint8, uint16 or floating-point, got {image.dtype}")
        if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] not in (1, 2, 3, 4)):
            raise UserError(f"image: must be (H, W) or (H, W, 1 to 4), got shape {image.shape}")
        self.is_flat = image.ndim == 2
        samples = image[..., None] if self.is_flat else image
        if samples.shape[-1] in _WITH_ALPHA:
            self.pixels, self.alpha = samples[None, ..., :-1], samples[None, ..., -1]
        else:
            self.pixels = samples[None]

    def back(self, pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
        if alpha is not None:
            return np.dstack([pixels[0], alpha[0]])
        return pixels[0, ..., 0] if self.is_flat else pixels[0]


class PillowImage(Kind):
    """A Pillow image, as it is shown: its EXIF orientation is applied. Palettes, CMYK and YCbCr become RGB."""

    def __init__(self, image: Image.Image):
        image = ImageOps.exif_transpose(image)
        mode = "RGBA" if "transparency" in image.info else _PILLOW.get(image.mode, image.mode)
        if not mode.startswith("I;16") and mode not in ("L", "LA", "RGB", "RGBA"):
            raise UserError(f"image: the Pillow mode {image.mode} is not supported; convert it to RGB or L")
        self.profile = image.info.get("icc_profile") if image.mode == mode else None
        samples = np.asarray(image if image.mode == mode else image.convert(mode))
        self.array = Array(samples.astype(np.uint16) if mode.startswith("I;16") else samples)
        self.pixels, self.alpha = self.array.pixels, self.array.alpha

    def back(self, pixels: np.ndarray, alpha: np.ndarray | None) -> Image.Image:
        image = Image.fromarray(self.array.back(pixels, alpha))
        if self.profile:
            image.info["icc_profile"] = self.profile
        return image


class TensorImage(Kind):
    """A tensor (C, H, W) or (N, C, H, W), without alpha."""

    def __init__(self, image: Tensor):
        if image.dtype not in (torch.uint8, torch.uint16) and not image.is_floating_point():
            raise UserError(f"image: must be uint8, uint16 or floating-point, got {image.dtype}")
        if image.dim() not in (3, 4):
            raise UserError(f"image: must be (C, H, W) or (N, C, H, W), got shape {tuple(image.shape)}")
        self.image = image
        batch = image.detach() if image.dim() == 4 else image.detach()[None]
        batch = batch.float() if batch.dtype == torch.bfloat16 else batch  # numpy has none
        self.pixels = batch.cpu().movedim(1, -1).numpy()

    def back(self, pixels: np.ndarray, alpha: np.ndarray | None) -> Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, 1))).to(self.image)
        return batch if self.image.dim() == 4 else batch[0]
