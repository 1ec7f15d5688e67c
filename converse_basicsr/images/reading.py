"""Reading a picture."""

import io
import os
from pathlib import Path

from PIL import Image

from ..errors import UserError, plain
from ..files.image_header import irregular
from .decoding import decode_with_alpha
from .metadata import read_exif
from .picture import Picture, matching_profile


def read_picture(path: str | os.PathLike) -> Picture:
    """Read a file of 8 or 16 bits per sample: PNG, JPEG, WebP, TIFF, BMP, or another format that OpenCV decodes.

    The EXIF orientation is applied. Palettes and CMYK become RGB.

    Raises:
        UserError: the file cannot be read, is damaged, truncated or animated, is larger than Pillow's limit against
            decompression bombs, or has other samples; names the file.
    """
    try:
        if kind := irregular(os.stat(path).st_mode):
            raise UserError(f"{plain(path)}: {kind}")
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{plain(path)}: {error.strerror or error}") from error
    return decode_picture(content, path)


def decode_picture(content: bytes, name: str | os.PathLike) -> Picture:
    """The same for the content of a file; the name is for error messages."""
    pixels, alpha = decode_with_alpha(content, name)
    notes, profile, exif = [], None, None
    try:
        with Image.open(io.BytesIO(content)) as image:
            frames, is_animated = getattr(image, "n_frames", 1), image.format in ("GIF", "WEBP", "PNG", "AVIF")
            profile = image.info.get("icc_profile")
            if image.mode == "CMYK":
                notes.append("CMYK, converted to RGB")
            try:
                exif = (
                    read_exif(image) if image.format != "PNG" or b"eXIf" in content else None
                )  # else decodes it again
            except Exception:  # Pillow raises many exception types for damaged EXIF data
                notes.append("its EXIF data are damaged and left out")
    except Exception:  # a format that only OpenCV or tifffile reads
        frames, is_animated = 1, False
    if frames > 1 and is_animated:
        raise UserError(f"{plain(name)}: an animation of {frames} frames; only still pictures can be restored")
    if frames > 1:
        notes.append(f"the first of its {frames} pictures")
    return Picture(pixels, alpha, matching_profile(profile, pixels.shape[-1]), exif, tuple(notes))
