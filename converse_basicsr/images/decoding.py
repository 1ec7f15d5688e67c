"""Decoding of image files."""

import io
import os

import cv2
import numpy as np
from PIL import Image, ImageOps

from ..errors import UserError, plain
from ..files.image_header import ImageHeader, bytes_header, decode, decode_tiff

COLORS = {"rgb": cv2.IMREAD_COLOR, "gray": cv2.IMREAD_GRAYSCALE}
_MODES = {"rgb": "RGB", "gray": "L"}  # Pillow's
_ASSOCIATED = 1  # TIFF, tag 338: the colours are multiplied by alpha


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
    image = decode_colours(content, header, color, keep_16_bits)
    if image is None:
        raise UserError(f"{path}: damaged: OpenCV cannot decode it")
    return image


def decode_colours(content: bytes, header: ImageHeader, color: str, keep_16_bits: bool = True) -> np.ndarray | None:
    """The same for an image whose header is known; None if it cannot be decoded."""
    if header.format == "tifffile":
        return _by_tifffile(content, color, keep_16_bits)
    if header.alpha and header.bits == 8 and header.format in ("TIFF", "GIF"):
        return _without_alpha(content, color)
    deep = cv2.IMREAD_ANYDEPTH if keep_16_bits and header.bits == 16 else 0
    return decode(content, COLORS[color] | deep)


def decode_with_alpha(content: bytes, path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray | None]:
    """An encoded image as (H, W, 3) RGB or (H, W, 1) gray, whichever it is, and its alpha (H, W), or None.

    Errors as decode_pixels; uint8 or uint16. Colours are not multiplied by alpha.
    """
    header = bytes_header(content)
    if isinstance(header, str):
        raise UserError(f"{plain(path)}: {header}")
    by_pillow = header.bits == 8 and header.format not in ("OpenCV", "tifffile")
    samples = _by_pillow(content, header) if by_pillow else _in_16_bits(content, header)
    if samples is None:
        raise UserError(f"{plain(path)}: damaged, or of a kind that is not supported")
    return np.ascontiguousarray(samples[..., : header.channels]), samples[..., -1].copy() if header.alpha else None


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


def _by_tifffile(content: bytes, color: str, keep_16_bits: bool) -> np.ndarray | None:
    pixels = decode_tiff(content)
    if pixels is None:
        return None
    pixels = pixels if keep_16_bits or pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    if pixels.shape[-1] < 3:
        gray = np.ascontiguousarray(pixels[..., 0])
        return gray if color == "gray" else cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    return cv2.cvtColor(pixels[..., :3], cv2.COLOR_RGB2GRAY if color == "gray" else cv2.COLOR_RGB2BGR)


def _by_pillow(content: bytes, header: ImageHeader) -> np.ndarray | None:
    """Gray or RGB, and alpha if there is one, (H, W, 1 to 4) uint8; None if Pillow cannot decode it."""
    mode = ("L" if header.channels == 1 else "RGB") + ("A" if header.alpha else "")
    try:
        with Image.open(io.BytesIO(content)) as image:
            samples = np.asarray(ImageOps.exif_transpose(image).convert(mode))
    except Exception:  # Pillow raises many exception types for damaged files
        return None
    return samples if samples.ndim == 3 else samples[..., None]


def _in_16_bits(content: bytes, header: ImageHeader) -> np.ndarray | None:
    """The same for what Pillow does not decode, mostly uint16."""
    colours = decode_colours(content, header, "gray" if header.channels == 1 else "rgb")
    if colours is None:
        return None
    colours = colours[..., None] if colours.ndim == 2 else colours[..., ::-1]
    if not header.alpha:
        return colours
    alpha = _deep_alpha(content, header)
    if alpha is None or alpha.shape != colours.shape[:2]:
        return None
    if _is_associated(content):
        share = alpha[..., None] / np.float32(np.iinfo(alpha.dtype).max)
        most = np.iinfo(colours.dtype).max
        colours = np.where(share > 0, (colours / np.maximum(share, 1e-9)).clip(0, most).round(), 0)
    return np.dstack([colours.astype(alpha.dtype), alpha])


def _deep_alpha(content: bytes, header: ImageHeader) -> np.ndarray | None:
    """Alpha (H, W), oriented as the colours; None if it cannot be decoded."""
    if header.format == "tifffile":
        return decode_tiff(content)[..., -1]
    pixels = decode(content, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[-1] not in (2, 4):
        return None
    alpha = pixels[..., -1]
    return _oriented(alpha, content) if header.format == "PNG" else alpha  # OpenCV has oriented a TIFF


def _oriented(samples: np.ndarray, content: bytes) -> np.ndarray:
    """Samples (H, W) of 16 bits as the EXIF orientation of their file shows them."""
    with Image.open(io.BytesIO(content)) as image:
        orientation = image.getexif().get(274, 1)
    if orientation in (5, 6, 7, 8):
        samples = samples.T
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def _is_associated(content: bytes) -> bool:
    """Whether a TIFF says that its colours are multiplied by alpha."""
    try:
        with Image.open(io.BytesIO(content), formats=["TIFF"]) as image:
            return _ASSOCIATED in image.tag_v2.get(338, ())
    except Exception:  # another format
        return False
