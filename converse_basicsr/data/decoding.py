"""Decoding of image files."""

import io
import os

import cv2
import numpy as np
from PIL import Image

from ..errors import UserError
from ..files.image_header import bytes_header, decode

COLORS = {"rgb": cv2.IMREAD_COLOR, "gray": cv2.IMREAD_GRAYSCALE}
_MODES = {"rgb": "RGB", "gray": "L"}  # Pillow's


def decode_pixels(content: bytes, path: str | os.PathLike, color: str, keep_16_bits: bool = True) -> np.ndarray:
    """An encoded image as (H, W, 3) BGR or (H, W) gray, uint8 or uint16.

    Images have 8 or 16 bits per sample. Alpha is dropped: pixels keep the colour stored in the file. Gray and colour
    are converted to what `color` asks for. EXIF orientation is applied. Of several frames or pages the first is taken.

    Args:
        content: the bytes of the file.
        path: the file's path, for error messages.
        color: 'rgb' (the result is BGR all the same) or 'gray'.
        keep_16_bits: False reduces 16 bits to 8.

    Raises:
        UserError: the file is damaged, truncated or not an image, or has another kind of samples; names the path.
    """
    header = bytes_header(content)
    if isinstance(header, str):
        raise UserError(f"{path}: {header}")
    if header.alpha and header.bits == 8 and header.format in ("TIFF", "GIF"):
        image = _without_alpha(content, color)
    else:
        deep = cv2.IMREAD_ANYDEPTH if keep_16_bits and header.bits == 16 else 0
        image = decode(content, COLORS[color] | deep)
    if image is None:
        raise UserError(f"{path}: damaged: OpenCV cannot decode it")
    return image


def to_unit_range(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) BGR or (H, W) gray, uint8 or uint16, as (H, W, 3) RGB or (H, W, 1), float32 in [0, 1]."""
    image = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    return image[..., None] if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])


def _without_alpha(content: bytes, color: str) -> np.ndarray | None:
    """The stored colours (BGR) or gray values, by Pillow: OpenCV multiplies them by alpha, or replaces them."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            stored = image.convert("RGBA").convert(_MODES[color])
    except Exception:  # Pillow raises many exception types for damaged files
        return None
    return np.asarray(stored)[..., ::-1] if color == "rgb" else np.asarray(stored)
