"""Writing a picture."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UserError, plain
from ..files.atomic import replacing
from . import containers
from .formats import FORMATS, QUALITY, Format
from .metadata import exif_for, fitting_jpeg
from .picture import Picture


def write_picture(path: Path, picture: Picture, format: Format, quality: int = QUALITY) -> None:
    """Write a picture atomically; its folder is created.

    Raises:
        UserError: the format cannot hold it, or the file cannot be written; names the file.
    """
    try:
        content = encode(picture, format, quality)
    except UserError as error:
        raise UserError(f"{plain(path)}: {error}") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            partial.write_bytes(content)
    except OSError as error:
        raise UserError(f"{plain(path)}: cannot be written: {error.strerror or error}") from error


def encode(picture: Picture, format: Format, quality: int = QUALITY) -> bytes:
    """The content of a file.

    Formats of 8 bits get rounded samples. BMP holds neither profile nor EXIF data, and they are left out.

    Args:
        quality: of JPEG and WebP, 1 to 100; 100 makes WebP lossless.

    Raises:
        UserError: the format holds no alpha, or no picture of that size.
    """
    if picture.alpha is not None and not format.alpha:
        holding = ", ".join(name for name, each in FORMATS.items() if each.alpha)
        raise UserError(f"{format.name} cannot hold its transparency; give --format {holding}")
    height, width = picture.pixels.shape[:2]
    if max(height, width) > format.most:
        raise UserError(f"{width}x{height} is too large for {format.name} ({format.most} a side); give --format png")
    picture = picture if format.deep else picture.in_8_bits()
    pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    exif = exif_for(picture.exif, width, height) if picture.exif and format.metadata else None
    if format.name == "TIFF":
        return containers.tiff(pixels, picture.profile, exif)
    if pixels.dtype == np.uint16:
        return containers.png(pixels, picture.profile, exif)
    return _by_pillow(pixels, format, quality, picture.profile, exif)


def _by_pillow(pixels: np.ndarray, format: Format, quality: int, profile: bytes | None, exif) -> bytes:
    options = {
        "JPEG": {"quality": quality, "subsampling": 0},
        "WEBP": {"lossless": quality == 100, "quality": quality, "exact": True},
    }.get(format.name, {})
    if profile and format.metadata:
        options["icc_profile"] = profile
    if exif:
        options["exif"] = fitting_jpeg(exif) if format.name == "JPEG" else exif.tobytes()
        options = {name: value for name, value in options.items() if value is not None}
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    buffer = io.BytesIO()
    image.save(buffer, format.name, **options)
    return buffer.getvalue()
