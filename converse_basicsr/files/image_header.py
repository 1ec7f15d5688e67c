"""What the header of an image file says: size, channels, bits per sample. Pixels are decoded only on suspicion."""

import io
import logging
import os
import stat
import warnings
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # a broken file gets one line: ours
logging.getLogger("tifffile").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged EXIF data and of large images

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF", "SUN")  # OpenCV reads them
_TIFF = (b"II*\0", b"MM\0*")
_TAIL = 4096  # bytes at the end of a file that are searched for its end marker
_END_MARKERS = {"PNG": b"IEND", "JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "JPEG2000": b"\xff\xd9", "GIF": b";"}
_GRAY = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_ORIENTATION = 0x0112  # EXIF tag
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder, not a file"),
    (stat.S_ISFIFO, "a named pipe (FIFO), not a file"),
    (stat.S_ISSOCK, "a socket, not a file"),
    (stat.S_ISCHR, "a device, not a file"),
    (stat.S_ISBLK, "a device, not a file"),
)


class ImageHeader(NamedTuple):
    """An image as it will be decoded.

    format is Pillow's name, or OpenCV or tifffile for what only those decode correctly. height and width are those
    after the EXIF rotation. channels is 1 or 3, without alpha. bits (per sample) is 8 or 16.
    """

    format: str
    height: int
    width: int
    channels: int
    alpha: bool
    bits: int


def file_header(path: str | os.PathLike) -> ImageHeader | str:
    """The header of a file, or the reason why the file is not a usable image. Only regular files are opened."""
    try:
        status = os.stat(path)
        return irregular(status.st_mode) or _open(path)
    except OSError as error:
        return "a link to nothing" if os.path.islink(path) and not os.path.exists(path) else _reason(error)


def bytes_header(content: bytes | memoryview) -> ImageHeader | str:
    """The same for an encoded image in memory; only the parts that are needed are read."""
    return _read(io.BufferedReader(_View(memoryview(content))), len(content))


def irregular(mode: int) -> str | None:
    """What a file of this st_mode is if it is not a regular file, else None."""
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), None)


def _open(path: str | os.PathLike) -> ImageHeader | str:
    with open(path, "rb") as file:
        return _read(file, os.fstat(file.fileno()).st_size)


def _read(file: BinaryIO, size: int) -> ImageHeader | str:
    if size == 0:
        return "empty"
    try:
        with Image.open(file, formats=_FORMATS) as image:
            header = _describe(image)
            suspicious = not isinstance(header, str) and _is_suspicious(image, file, size)
    except UnidentifiedImageError:
        return _decoded(file)
    except Image.DecompressionBombError:
        return f"more than {2 * Image.MAX_IMAGE_PIXELS} pixels; cut it into smaller images"
    except Exception as error:  # Pillow raises many exception types for damaged files
        return f"damaged or truncated ({_reason(error)})"
    return _verified(file, header) if suspicious else header


def _describe(image: Image.Image) -> ImageHeader | str:
    """The header of an open image, or the reason why its samples are not supported."""
    reader = image.format
    width, height = image.size
    channels = 1 if image.mode in _GRAY else 3
    bits = 16 if image.mode.startswith("I;16") else 32 if image.mode in ("I", "F") else 8
    if image.format == "PNG":
        stored = str(image.tile[0][3])  # as in "LA;16B", which Pillow opens as RGBA
        bits, channels = (16 if "16" in stored else 8), (1 if stored[0] in "1LI" else 3)
    elif image.format == "PPM":
        largest = _largest_value(image)
        if largest not in (255, 65535):
            return f"its largest value is declared as {largest}; 255 and 65535 are supported"
        bits = 16 if largest == 65535 else 8
    elif image.format == "TIFF":
        tags = image.tag_v2
        width, height, bits = tags[256], tags[257], max(tags.get(258, (1,)))
        if set(tags.get(339, (1,))) != {1}:
            return "its samples are signed or floating-point; 8 or 16 bits, unsigned, are supported"
        if tags.get(277, 1) > 4:
            return f"{tags[277]} samples per pixel; at most 4 are supported"
        if bits == 16 and tags.get(262) == 0:
            return "16 bits with white as zero are not supported; save it with black as zero"
        if bits == 16 and tags.get(284) == 2 and tags.get(277, 1) > 1:
            reader = "tifffile"  # OpenCV mixes up separate planes of 16 bits
    if bits not in (1, 2, 4, 8, 16):
        return f"{bits} bits per sample; 8 and 16 are supported"
    if _orientation(image) in (5, 6, 7, 8):
        width, height = height, width
    alpha = image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info
    return ImageHeader(reader, height, width, channels, alpha, max(bits, 8))


def _largest_value(image: Image.Image) -> int:
    """The largest value that a PPM or PGM declares."""
    args = image.tile[0][3]
    return args[1] if isinstance(args, tuple) else 65535 if "16" in args else 255


def _orientation(image: Image.Image) -> int | None:
    """The EXIF orientation. Pillow would decode a PNG to find EXIF data behind its pixels, see _is_suspicious."""
    if image.format == "TIFF":
        return image.tag_v2.get(_ORIENTATION)
    return image.getexif().get(_ORIENTATION) if image.format != "PNG" or "exif" in image.info else None


def _is_suspicious(image: Image.Image, file: BinaryIO, size: int) -> bool:
    """Whether the end of the file is missing, as far as its format tells, or hides EXIF data (PNG)."""
    if image.format == "TIFF":
        tags = image.tag_v2
        starts, lengths = (tags.get(273) or tags.get(324, ())), (tags.get(279) or tags.get(325, ()))
        return not starts or any(start + length > size for start, length in zip(starts, lengths, strict=False))
    if image.format == "PPM":
        codec, _, offset, _ = image.tile[0]
        row = (image.width + 7) // 8 if image.mode == "1" else image.width * (1 if image.mode in _GRAY else 3)
        depth = 2 if _largest_value(image) == 65535 else 1
        return codec != "ppm_plain" and offset + row * depth * image.height > size
    if image.format == "BMP":
        file.seek(2)
        return int.from_bytes(file.read(4), "little") > size
    marker = _END_MARKERS.get(image.format)
    if marker is None:  # WebP and AVIF are read completely when they are opened
        return False
    tail_size = len(marker) if image.format == "GIF" else _TAIL  # a GIF's marker may be anywhere in its data
    file.seek(max(0, size - tail_size))
    tail = file.read(tail_size)
    return marker not in tail or (image.format == "PNG" and b"eXIf" in tail and "exif" not in image.info)


def _verified(file: BinaryIO, header: ImageHeader) -> ImageHeader | str:
    """The header, with the size found by decoding; or the reason why the file cannot be decoded."""
    file.seek(0)
    content = file.read()
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            image.load()  # OpenCV 4 fills the missing part of a JPEG with gray
    except Exception:  # Pillow raises many exception types for damaged files
        return "damaged or truncated"
    decoded = decode(content, cv2.IMREAD_COLOR)
    if decoded is None:
        return "damaged or truncated"
    return header._replace(height=decoded.shape[0], width=decoded.shape[1])


def _decoded(file: BinaryIO) -> ImageHeader | str:
    """The header of a file that Pillow does not know, found by decoding it."""
    file.seek(0)
    content = file.read()
    reader = "tifffile" if content[:4] in _TIFF else "OpenCV"  # OpenCV drops alpha beside gray, and the lower 8 bits
    decoded = decode_tiff(content) if reader == "tifffile" else decode(content, cv2.IMREAD_UNCHANGED)
    if decoded is None:
        return "not an image, or damaged" if reader == "OpenCV" else "damaged, or a kind of TIFF that is not supported"
    if decoded.dtype not in (np.uint8, np.uint16):
        return f"its samples are {decoded.dtype}; 8 or 16 bits, unsigned, are supported"
    height, width, channels = (*decoded.shape, 1)[:3]
    return ImageHeader(reader, height, width, 1 if channels < 3 else 3, channels in (2, 4), 8 * decoded.itemsize)


def decode(content: bytes, flags: int) -> np.ndarray | None:
    """cv2.imdecode, but None for anything that it cannot decode."""
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    except cv2.error:
        return None


def decode_tiff(content: bytes) -> np.ndarray | None:
    """The first page of a TIFF by tifffile, (H, W) or (H, W, samples); None if it cannot decode it."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page = file.pages[0]
            if page.imagewidth * page.imagelength > 2 * Image.MAX_IMAGE_PIXELS:
                return None
            pixels, axes, kind, colours = page.asarray(), page.axes, page.photometric, page.colormap
    except Exception:  # tifffile raises many exception types for damaged files, and lacks some compressions
        return None
    if pixels.size == 0 or pixels.ndim != len(axes):
        return None
    if kind == tifffile.PHOTOMETRIC.PALETTE and axes == "YX" and colours is not None:
        return np.ascontiguousarray(np.moveaxis(colours[:, pixels], 0, -1))
    if kind not in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR):
        return None  # CMYK, Lab, white is zero, ...: the samples are not gray, RGB and alpha
    pixels = np.ascontiguousarray(np.moveaxis(pixels, 0, -1)) if axes == "SYX" else pixels
    return pixels if axes == "YX" or (axes in ("YXS", "SYX") and pixels.shape[-1] <= 4) else None


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]


class _View(io.RawIOBase):
    """A file over a buffer, which is not copied: of a value in an LMDB only the pages in use are read."""

    def __init__(self, content: memoryview):
        self._content, self._position = content, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._content)}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray) -> int:
        part = self._content[self._position : self._position + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)
