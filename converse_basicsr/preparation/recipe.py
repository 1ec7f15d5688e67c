"""The recipe for one image: whole or sub-images, and their LR versions."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from basicsr.data.transforms import mod_crop

from ..degradations.bicubic import reduce_bicubic
from ..errors import UserError
from ..images.decoding import decode_pixels
from .image_files import ImageFile
from .sub_images import starts, sub_images
from .writing import Encoded, encode


@dataclass(frozen=True)
class Recipe:
    """How images are prepared.

    Args:
        size: side of the sub-images; None keeps images whole.
        step: distance between sub-images; None: size.
        lr_scale: factor of the LR images; None makes none.
        gray: one channel instead of three.

    Raises:
        UserError: a value is out of range, or two values contradict each other.
    """

    size: int | None = None
    step: int | None = None
    lr_scale: int | None = None
    gray: bool = False

    def __post_init__(self) -> None:
        for name, least in (("size", 1), ("step", 1), ("lr_scale", 2)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"{name} must be {least} or more, got {value}")
        if self.step is not None and self.size is None:
            raise UserError(f"step {self.step} needs a size")
        for name in ("size", "step"):
            value = getattr(self, name)
            if self.lr_scale and value and value % self.lr_scale:
                raise UserError(f"{name} must be a multiple of lr_scale ({self.lr_scale}), got {value}")
        if self.lr_scale and self.size and self.size < self.least_side:
            raise UserError(f"size must be {self.least_side} or more with lr_scale {self.lr_scale}, got {self.size}")

    @property
    def least_side(self) -> int:
        """The smallest allowed side of an image."""
        return max(self.size or 1, 2 * (self.lr_scale or 0))  # bicubic downsampling reflects 2 * lr_scale pixels

    def largest(self, height: int, width: int) -> tuple[int, int]:
        """The most (images, uncompressed bytes) made from one image, without the LR versions."""
        count, area = 1, height * width
        if self.size:
            step = self.step or self.size
            count = len(starts(height, self.size, step)) * len(starts(width, self.size, step))
            area = count * self.size**2
        return count, area * (1 if self.gray else 3)

    def make(self, file: ImageFile) -> list[list[Encoded]]:
        """The encoded images of one file, and with lr_scale their LR versions under the same keys.

        Raises:
            UserError: the file cannot be read or decoded.
        """
        try:
            content = file.path.read_bytes()
        except OSError as error:
            raise UserError(f"{file.path}: cannot be read: {error}") from error
        image = decode_pixels(content, file.path, "gray" if self.gray else "rgb", keep_16_bits=False)
        levels = {1: image}
        if self.lr_scale:  # downsample the whole image: sub-images get no border effects
            image = mod_crop(image, self.lr_scale)
            levels = {1: image, self.lr_scale: reduce_bicubic(image, self.lr_scale)}
        return [[encode(*part) for part in self._cut(file.key, *level)] for level in levels.items()]

    def _cut(self, key: str, scale: int, image: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
        if self.size is None:
            return [(key, image)]
        return sub_images(key, image, self.size // scale, (self.step or self.size) // scale)
