"""A picture with everything that it carries."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Picture:
    """A picture as it is shown: the EXIF orientation has been applied.

    Attributes:
        pixels: (H, W, 3) RGB or (H, W, 1) gray, uint8 or uint16.
        alpha: (H, W), the same type, or None. The colours are not multiplied by it.
        profile: the ICC profile, or None.
        exif: the EXIF data without orientation and preview, or None.
        notes: what was converted or left out in reading, in words.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: Image.Exif | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> str:
        """'640x480', width and height."""
        return f"{self.pixels.shape[1]}x{self.pixels.shape[0]}"

    @property
    def largest(self) -> int:
        """255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)

    def with_pixels(self, pixels: np.ndarray, alpha: np.ndarray | None) -> "Picture":
        """The same picture with other pixels; a profile of another colour space is dropped."""
        return replace(self, pixels=pixels, alpha=alpha, profile=matching_profile(self.profile, pixels.shape[-1]))

    def in_8_bits(self) -> "Picture":
        """The same picture with samples of 8 bits, rounded."""
        alpha = None if self.alpha is None else to_8_bits(self.alpha)
        return replace(self, pixels=to_8_bits(self.pixels), alpha=alpha)


def to_8_bits(samples: np.ndarray) -> np.ndarray:
    """uint16 samples rounded to uint8; uint8 samples unchanged."""
    return samples if samples.dtype == np.uint8 else ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def matching_profile(profile: bytes | None, channels: int) -> bytes | None:
    """The ICC profile if its header says that it is for so many channels, else None."""
    return profile if profile and profile[16:20] == (b"GRAY" if channels == 1 else b"RGB ") else None
