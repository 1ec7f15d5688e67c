"""Encoding what Pillow does not: PNG with 16 bits per sample in colour, TIFF with these and with EXIF data."""

import struct
import zlib

import numpy as np
from PIL import Image

_LEVEL = 6  # of zlib
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # PNG: by number of samples per pixel
_UP = b"\2"  # PNG filter: difference to the row above


def png(pixels: np.ndarray, profile: bytes | None, exif: Image.Exif | None) -> bytes:
    """A PNG of (H, W, 1 to 4) uint16: gray, gray and alpha, RGB, RGBA."""
    height, width, samples = pixels.shape
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    rows = np.diff(rows, axis=0, prepend=np.uint8(0))  # modulo 256
    filtered = np.insert(rows, 0, _UP[0], axis=1)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[samples], 0, 0, 0)),
        *([(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))] if profile else []),
        *([(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))] if exif else []),
        (b"IDAT", zlib.compress(filtered, _LEVEL)),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(pixels: np.ndarray, profile: bytes | None, exif: Image.Exif | None) -> bytes:
    """A TIFF of (H, W, 1 to 4) uint8 or uint16, as for png: one deflated strip. EXIF data are a TIFF without pixels."""
    height, width, samples = pixels.shape
    differences = np.diff(pixels, axis=1, prepend=pixels.dtype.type(0))
    strip = zlib.compress(np.ascontiguousarray(differences, pixels.dtype.newbyteorder(">")), _LEVEL)
    tags = exif or Image.Exif()
    colours = samples - (samples in (2, 4))
    tags.update({
        256: width, 257: height, 258: (8 * pixels.itemsize,) * samples, 259: 8, 262: 2 if colours == 3 else 1,
        273: 0, 277: samples, 278: height, 279: len(strip), 284: 1, 317: 2, 339: (1,) * samples,
        **({338: 2} if samples > colours else {}), **({34675: profile} if profile else {}),
    })  # fmt: skip
    header = tags.tobytes().removeprefix(b"Exif\0\0")  # Pillow makes the strip's offset, 273, point behind it
    return header + strip
