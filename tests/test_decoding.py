"""Every kind of image file, by pixel values: what our data sets read, and what BasicSR's read."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from converse_basicsr.errors import UserError
from converse_basicsr.files.image_header import bytes_header
from converse_basicsr.images.decoding import decode_pixels, to_unit_range

from basicsr.utils import imfrombytes

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (24, 40, 3), dtype=np.uint8)
ALPHA = RANDOM.integers(0, 256, (24, 40, 1), dtype=np.uint8)
GRAY, OTHER = RGB[..., 0], 255 - RGB
RGB16 = RANDOM.integers(0, 65536, (24, 40, 3), dtype=np.uint16)
RGBA, LA = np.concatenate([RGB, ALPHA], 2), np.dstack([GRAY, ALPHA[..., 0]])
INDEX = RANDOM.integers(0, 4, (24, 40), dtype=np.uint8)
PALETTE = np.array([[10, 20, 30], [200, 100, 0], [0, 255, 7], [90, 90, 91]], np.uint8)
RAMP = np.linspace(0, 255, 40).astype(np.uint8)  # smooth: JPEG keeps it
CMYK = np.stack(np.broadcast_arrays(RAMP, RAMP[::-1], RAMP[:24, None], RAMP[:24, None] // 2), -1)


def decode_image(content: bytes, path: str, color: str) -> np.ndarray:
    return to_unit_range(decode_pixels(content, path, color))


def saved(pixels: np.ndarray, format: str, mode: str | None = None, **options) -> bytes:
    """Written by Pillow."""
    buffer = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels, mode)).save(buffer, format, **options)
    return buffer.getvalue()


def indexed() -> Image.Image:
    image = Image.fromarray(INDEX, "P")
    image.putpalette(PALETTE.tobytes())
    return image


def png16(pixels: np.ndarray) -> bytes:
    """Written by hand: 16 bits per sample, no filter."""
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2]]
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
             for kind, data in chunks]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff16(pixels: np.ndarray) -> bytes:
    """Written by hand: 16 bits per sample, one strip."""
    height, width, samples = pixels.shape
    tags = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 16) if samples == 1 else (258, 3, samples, 160),
        (259, 3, 1, 1), (262, 3, 1, 1 if samples == 1 else 2), (273, 4, 1, 200), (277, 3, 1, samples),
        (278, 3, 1, height), (279, 4, 1, pixels.nbytes),
    ]  # fmt: skip
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return head.ljust(160, b"\0") + struct.pack("<HHH", 16, 16, 16).ljust(40, b"\0") + pixels.astype("<u2").tobytes()


def triple(gray: np.ndarray) -> np.ndarray:
    return np.repeat(gray.reshape(24, 40, 1), 3, 2)


def from_cmyk(cmyk: np.ndarray) -> np.ndarray:
    """The formula without a colour profile: (255 - C)(255 - K) / 255."""
    return (255.0 - cmyk[..., :3]) * (255.0 - cmyk[..., 3:]) / 255


COLOURS, FRAMES = PALETTE[INDEX], {"save_all": True, "append_images": [Image.fromarray(OTHER)]}
EXACT = {
    "8-bit PNG": (saved(RGB, "PNG"), RGB),
    "8-bit BMP": (saved(RGB, "BMP"), RGB),
    "8-bit PPM": (saved(RGB, "PPM"), RGB),
    "8-bit TIFF": (saved(RGB, "TIFF"), RGB),
    "LZW TIFF": (saved(RGB, "TIFF", compression="tiff_lzw"), RGB),
    "lossless WebP": (saved(RGB, "WEBP", lossless=True), RGB),
    "gray PNG": (saved(GRAY, "PNG"), triple(GRAY)),
    "gray TIFF": (saved(GRAY, "TIFF"), triple(GRAY)),
    "1-bit PNG": (saved(Image.fromarray(GRAY > 127), "PNG"), triple((GRAY > 127) * 255)),
    "1-bit TIFF": (saved(Image.fromarray(GRAY > 127), "TIFF"), triple((GRAY > 127) * 255)),
    "alpha PNG": (saved(RGBA, "PNG"), RGB),
    "alpha TIFF": (saved(RGBA, "TIFF"), RGB),
    "alpha WebP": (saved(RGBA, "WEBP", lossless=True, exact=True), RGB),
    "gray alpha PNG": (saved(LA, "PNG", "LA"), triple(GRAY)),
    "palette PNG": (saved(indexed(), "PNG"), COLOURS),
    "palette TIFF": (saved(indexed(), "TIFF"), COLOURS),
    "palette BMP": (saved(indexed(), "BMP"), COLOURS),
    "transparent palette PNG": (saved(indexed(), "PNG", transparency=b"\0\x80\xff\x10"), COLOURS),
    "transparent colour PNG": (saved(RGB, "PNG", transparency=tuple(map(int, RGB[0, 0]))), RGB),
    "GIF": (saved(indexed(), "GIF"), COLOURS),
    "transparent GIF": (saved(indexed(), "GIF", transparency=2), COLOURS),
    "animated GIF": (saved(indexed(), "GIF", save_all=True, append_images=[indexed().rotate(180)]), COLOURS),
    "animated WebP": (saved(RGB, "WEBP", lossless=True, **FRAMES), RGB),
    "animated PNG": (saved(RGB, "PNG", **FRAMES), RGB),
    "multi-page TIFF": (saved(RGB, "TIFF", **FRAMES), RGB),
    "16-bit PNG": (png16(RGB16), RGB16),
    "16-bit alpha PNG": (png16(np.dstack([RGB16, RGB16[..., 0]])), RGB16),
    "16-bit gray PNG": (png16(RGB16[..., :1]), triple(RGB16[..., :1])),
    "16-bit gray alpha PNG": (png16(RGB16[..., :2]), triple(RGB16[..., :1])),
    "16-bit TIFF": (tiff16(RGB16), RGB16),
    "16-bit gray TIFF": (tiff16(RGB16[..., :1]), triple(RGB16[..., :1])),
    "16-bit PPM": (b"P6 40 24 65535\n" + RGB16.astype(">u2").tobytes(), RGB16),
}
NEAR = {  # largest difference on the 0-255 scale
    "CMYK JPEG": (saved(CMYK, "JPEG", "CMYK", quality=100, subsampling=0), from_cmyk(CMYK), 4),
    "CMYK TIFF": (saved(CMYK, "TIFF", "CMYK"), from_cmyk(CMYK), 1),
    "gray JPEG": (saved(CMYK[..., 0], "JPEG", quality=100), triple(CMYK[..., 0]), 2),
}
BASICSR_DIFFERS = ("alpha TIFF", "transparent GIF")


@pytest.mark.parametrize("kind", EXACT)
def test_colours(kind):
    content, expected = EXACT[kind]
    pixels = decode_image(content, "image", "rgb")
    assert pixels.dtype == np.float32 and pixels.shape == (24, 40, 3)
    np.testing.assert_allclose(pixels, expected / (65535 if expected.dtype == np.uint16 else 255.0), atol=1e-6)


@pytest.mark.parametrize("kind", EXACT)
def test_gray_values(kind):
    content, expected = EXACT[kind]
    pixels = decode_image(content, "image", "gray")
    luma = expected @ [0.299, 0.587, 0.114] / (65535 if expected.dtype == np.uint16 else 255)
    assert pixels.dtype == np.float32 and pixels.shape == (24, 40, 1)
    assert np.abs(pixels[..., 0] - luma).max() < 1.6 / 255  # the libraries round


@pytest.mark.parametrize("kind", NEAR)
def test_colours_after_conversion(kind):
    content, expected, atol = NEAR[kind]
    assert np.abs(decode_image(content, "image", "rgb") * 255 - expected).max() <= atol


@pytest.mark.parametrize("kind", [*EXACT, *NEAR])
def test_the_header_says_what_is_decoded(kind):
    content = {**EXACT, **NEAR}[kind][0]
    header = bytes_header(content)
    assert header[1:3] == (24, 40)
    assert header.bits == (16 if kind.startswith("16-bit") else 8)
    assert header.alpha == ("alpha" in kind or "transparent" in kind)
    assert header.channels == (1 if "gray" in kind or "1-bit" in kind else 3)


@pytest.mark.parametrize("kind", [kind for kind in EXACT if kind not in BASICSR_DIFFERS])
def test_basicsr_reads_the_upper_8_bits(kind):
    content, expected = EXACT[kind]
    if expected.dtype == np.uint16:
        expected = expected >> 8
    read = imfrombytes(content)[..., ::-1]
    assert np.abs(read.astype(int) - expected).max() <= (1 if kind == "16-bit TIFF" else 0)


def test_basicsr_multiplies_an_alpha_tiff_by_alpha():
    read = imfrombytes(EXACT["alpha TIFF"][0])[..., ::-1]
    assert np.abs(read - RGB * (ALPHA / 255.0)).max() <= 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(format, orientation):
    image = np.dstack([np.broadcast_to(RAMP, (24, 40)), np.broadcast_to(RAMP[:24, None], (24, 40)), 255 - GRAY * 0])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(format, {})
    content = saved(image, format, exif=exif, **options)
    turned = {
        1: image, 2: image[:, ::-1], 3: image[::-1, ::-1], 4: image[::-1], 5: image.swapaxes(0, 1),
        6: np.rot90(image, -1), 7: image[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(image),
    }[orientation]  # fmt: skip
    pixels = decode_image(content, "image", "rgb")
    assert pixels.shape == turned.shape and np.abs(pixels * 255 - turned).max() <= (3 if format == "JPEG" else 0.01)
    assert bytes_header(content)[1:3] == turned.shape[:2]


def test_exif_data_behind_the_pixels_of_a_png():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(RGB, "PNG", exif=exif)
    start, end = content.index(b"eXIf") - 4, content.index(b"IDAT") - 4
    moved = content[:start] + content[end:-12] + content[start:end] + content[-12:]
    assert bytes_header(moved)[1:3] == decode_image(moved, "image", "rgb").shape[:2] == (40, 24)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (saved(GRAY.astype(np.float32), "TIFF"), "floating-point"),
        (saved(GRAY.astype(np.int32), "TIFF"), "signed or floating-point"),
        (cv2.imencode(".tiff", RGB.astype(np.float32))[1].tobytes(), "its samples are float32"),
        (b"P5 40 24 100\n" + GRAY.tobytes(), "its largest value is declared as 100; 255 and 65535"),
        (b"P5 40 24 1023\n" + bytes(1920), "its largest value is declared as 1023; 255 and 65535"),
        (b"", "empty"),
        (b"no image", "not an image, or damaged"),
        (
            png((b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b"")),
            "pixels",
        ),
    ],
)
def test_refused_files_are_named(content, reason):
    assert reason in bytes_header(content)
    with pytest.raises(UserError, match=f"^some/image: .*{reason}"):
        decode_image(content, "some/image", "rgb")


@pytest.mark.parametrize("kind", [kind for kind in (*EXACT, *NEAR) if kind not in ("animated PNG", "multi-page TIFF")])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.98])
def test_a_truncated_file_is_never_decoded_in_part(kind, kept):
    content = {**EXACT, **NEAR}[kind][0]
    with pytest.raises(UserError, match="^image: .*(damaged|truncated)"):
        decode_image(content[: int(len(content) * kept)], "image", "rgb")
