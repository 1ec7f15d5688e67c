"""basicsr restore on odd pictures: each is restored as it looks, or refused in one line; nothing ends the run."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from tiny_weights import save_network

from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.images.reading import decode_picture, read_picture
from converse_basicsr.networks import DnCNN

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (20, 28, 3), dtype=np.uint8)


@pytest.fixture
def place(in_tmp):
    save_network("dncnn.pth", DnCNN, num_in_ch=3, num_feat=4, num_layer=2)
    Path("in").mkdir()
    Image.fromarray(RGB).save("in/zz_good.png")
    return in_tmp


def by_pillow(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def by_tifffile(samples: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def png(width: int, height: int, bits: int, colour: int, data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = ((b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )


def jpeg_2000() -> bytes:
    return by_pillow(Image.fromarray(RGB), "JPEG2000")


def frames(format: str) -> bytes:
    others = [Image.fromarray(255 - RGB), Image.fromarray(RGB // 2)]
    return by_pillow(Image.fromarray(RGB), format, save_all=True, append_images=others, duration=100)


def palette_tiff_of_16_bits() -> bytes:
    colours = RANDOM.integers(0, 65536, (3, 65536), dtype=np.uint16)
    indices = RANDOM.integers(0, 65536, (20, 28), dtype=np.uint16)
    return by_tifffile(indices, photometric="palette", colormap=colours)


def colours_of(content: bytes) -> np.ndarray:
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        return file.pages[0].colormap[:, file.pages[0].asarray()].transpose(1, 2, 0)


def bomb() -> bytes:
    """20,000 x 20,000 pixels of zeros in a small file."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(20001)) for _ in range(20000)) + packer.flush()
    return png(20000, 20000, 8, 0, data)


def metadata_bomb() -> bytes:
    """A profile and a text that are 100 MB when they are unpacked."""
    packed = zlib.compress(bytes(10**8), 9)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in RGB), 9)
    return png(28, 20, 8, 2, rows, (b"iCCP", b"x\0\0" + packed), (b"zTXt", b"x\0\0" + packed))


def one_row(width: int, height: int) -> bytes:
    return by_pillow(Image.fromarray(RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)), "PNG")


RESTORED = {
    "palette.png": (by_pillow(Image.fromarray(RGB).quantize(16), "PNG"), (20, 28, 3)),
    "palette_with_transparency.png": (
        by_pillow(Image.fromarray(RGB).quantize(16), "PNG", transparency=3), (20, 28, 3)),
    "palette.bmp": (by_pillow(Image.fromarray(RGB).quantize(16), "BMP"), (20, 28, 3)),
    "one_bit.png": (by_pillow(Image.fromarray(RGB).convert("1"), "PNG"), (20, 28, 1)),
    "one_bit.tif": (by_pillow(Image.fromarray(RGB).convert("1"), "TIFF", compression="group4"), (20, 28, 1)),
    "cmyk.jpg": (by_pillow(Image.fromarray(RGB).convert("CMYK"), "JPEG"), (20, 28, 3)),
    "cmyk.tif": (by_pillow(Image.fromarray(RGB).convert("CMYK"), "TIFF"), (20, 28, 3)),
    "gray.jpg": (by_pillow(Image.fromarray(RGB[..., 0]), "JPEG"), (20, 28, 1)),
    "deep_with_alpha.png": (
        cv2.imencode(".png", RANDOM.integers(0, 65536, (20, 28, 4), dtype=np.uint16))[1].tobytes(), (20, 28, 3)),
    "deep_gray.tif": (by_tifffile(RANDOM.integers(0, 65536, (20, 28), dtype=np.uint16)), (20, 28, 1)),
    "deep_palette.tif": (palette_tiff_of_16_bits(), (20, 28, 3)),
    "planes.tif": (
        by_tifffile(RGB.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate"), (20, 28, 3)),
    "big_endian.tif": (by_tifffile(RGB, photometric="rgb", byteorder=">"), (20, 28, 3)),
    "bigtiff.tif": (by_tifffile(RGB, photometric="rgb", bigtiff=True), (20, 28, 3)),
    "one_pixel.png": (one_row(1, 1), (1, 1, 3)),
    "one_row.png": (one_row(300, 1), (1, 300, 3)),
    "one_column.png": (one_row(1, 300), (300, 1, 3)),
    "still.gif": (by_pillow(Image.fromarray(RGB).quantize(16), "GIF"), (20, 28, 3)),
    "lossless.webp": (by_pillow(Image.fromarray(RGB), "WEBP", lossless=True), (20, 28, 3)),
    "jpeg2000.jp2": (jpeg_2000(), (20, 28, 3)),
}  # fmt: skip
REFUSED = {
    "animated.gif": frames("GIF"),
    "animated.webp": frames("WEBP"),
    "animated.png": frames("PNG"),
    "nan.tif": by_tifffile(np.full((20, 28), np.nan, np.float32)),
    "floats.tif": by_tifffile(RANDOM.random((20, 28, 3)).astype(np.float32), photometric="rgb"),
    "thirty_two_bits.tif": by_tifffile(RANDOM.integers(0, 2**32, (20, 28), dtype=np.uint32)),
    "complex.tif": by_tifffile(np.ones((20, 28), np.complex64)),
    "deep_cmyk.tif": by_tifffile(
        RANDOM.integers(0, 65536, (20, 28, 4), dtype=np.uint16), photometric="separated"),
    "five_channels.tif": by_tifffile(
        RANDOM.integers(0, 256, (20, 28, 5), dtype=np.uint8), photometric="minisblack", planarconfig="contig"),
    "bomb.png": bomb(),
    "huge.png": png(2**31 - 1, 2**31 - 1, 8, 2, zlib.compress(bytes(1000))),
    "no_pixels.png": png(0, 5, 8, 2, zlib.compress(b"")),
    "no_rows.png": png(28, 20, 8, 2, b""),
    "seven_bits.png": png(28, 20, 7, 2, zlib.compress(bytes(2000))),
    "archive.png": b"PK\x03\x04" + bytes(100),
    "script.png": b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
    "header_alone.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
}  # fmt: skip


@pytest.mark.parametrize("name", RESTORED)
def test_odd_pictures_are_restored(place, capsys, name):
    content, shape = RESTORED[name]
    Path("in", name).write_bytes(content)
    assert main(["restore", f"in/{name}", "-m", "dncnn.pth", "--format", "png"]) == 0, capsys.readouterr()
    restored = read_picture(f"restored/{Path(name).stem}.png")
    assert restored.pixels.shape == shape
    assert restored.pixels.dtype == (np.uint16 if name.startswith("deep") else np.uint8)


@pytest.mark.parametrize("name", REFUSED)
def test_odd_files_are_refused_in_one_line_and_the_others_go_on(place, capsys, name):
    Path("in", name).write_bytes(REFUSED[name])
    assert main(["restore", f"in/{name}", "in/zz_good.png", "-m", "dncnn.pth", "--format", "png"]) == 1
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith(f"failed: in/{name}: ") and "unexpected" not in line
    assert [path.name for path in Path("restored").iterdir()] == ["zz_good.png"]


def test_metadata_that_unpack_without_end_do_not_fill_the_memory(place, capsys):
    Path("in/metadata.png").write_bytes(metadata_bomb())
    code = main(["restore", "in", "-m", "dncnn.pth"])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err and "unexpected" not in printed.err
    assert code in (0, 1) and Path("restored/zz_good.png").is_file()


def test_a_palette_of_16_bits_gives_its_colours():
    content = palette_tiff_of_16_bits()
    np.testing.assert_array_equal(decode_picture(content, "palette.tif").pixels, colours_of(content))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero(dtype):
    """Either as it looks, or refused; never as a negative."""
    samples = RANDOM.integers(0, np.iinfo(dtype).max, (20, 28), dtype=dtype)
    try:
        pixels = decode_picture(by_tifffile(samples, photometric="miniswhite"), "negative.tif").pixels
    except UserError as error:
        assert "not supported" in str(error)
    else:
        np.testing.assert_array_equal(pixels[..., 0], np.iinfo(dtype).max - samples)
