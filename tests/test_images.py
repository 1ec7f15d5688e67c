"""Pictures in files: every format there and back, with alpha, ICC profile, EXIF data and orientation."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from converse_basicsr.errors import UserError
from converse_basicsr.images.formats import FORMATS, choose_format, format_of
from converse_basicsr.images.picture import Picture
from converse_basicsr.images.reading import decode_picture, read_picture
from converse_basicsr.images.writing import encode, write_picture

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 65536, (24, 40, 4), dtype=np.uint16)
RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY_PROFILE = RGB_PROFILE[:16] + b"GRAY" + RGB_PROFILE[20:]
CAMERA = {271: "Maker", 306: "2026:01:02 03:04:05", 33432: "© me"}
DETAILS = {33434: (1, 50), 36867: "2026:01:02 03:04:05", 37500: b"note\0\1", 40962: 40, 40963: 24}
PLACE = {1: "N", 2: (48.0, 8.0, 2.0)}
LOSSLESS = ("png", "tiff", "webp", "bmp")


def make(channels: int = 3, bits: int = 8, alpha: bool = False, **extra) -> Picture:
    samples = DEEP if bits == 16 else (DEEP >> 8).astype(np.uint8)
    return Picture(samples[..., :channels], samples[..., 3] if alpha else None, **extra)


def metadata() -> Image.Exif:
    exif = Image.Exif()
    for tag, value in {**CAMERA, ExifTags.IFD.Exif: dict(DETAILS), ExifTags.IFD.GPSInfo: PLACE}.items():
        exif[tag] = value
    return exif


def saved(pixels: np.ndarray, name: str, **options) -> bytes:
    """Written by Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, name, **options)
    return buffer.getvalue()


def tiff(pixels: np.ndarray, **options) -> bytes:
    """Written by tifffile."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def there_and_back(picture: Picture, format: str, quality: int = 100) -> Picture:
    return decode_picture(encode(picture, FORMATS[format], quality), "picture")


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("format", LOSSLESS)
def test_there_and_back(format, channels, bits, alpha):
    picture = make(channels, bits, alpha)
    if alpha and not FORMATS[format].alpha:
        with pytest.raises(UserError, match="BMP cannot hold its transparency; give --format png, webp, tiff"):
            encode(picture, FORMATS[format])
        return
    back = there_and_back(picture, format)
    expected = picture if FORMATS[format].deep else picture.in_8_bits()
    pixels = expected.pixels
    if format == "webp":  # it has no gray
        pixels = np.broadcast_to(pixels, (24, 40, 3))
    np.testing.assert_array_equal(back.pixels, pixels)
    assert back.pixels.dtype == pixels.dtype
    if alpha:
        np.testing.assert_array_equal(back.alpha, expected.alpha)
    else:
        assert back.alpha is None


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_other_programs_read_16_bits(samples):
    picture = make(1 if samples < 3 else 3, 16, samples in (2, 4))
    stored = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    by_tifffile = tifffile.imread(io.BytesIO(encode(picture, FORMATS["tiff"])))
    np.testing.assert_array_equal(by_tifffile.reshape(stored.shape), stored)
    by_opencv = cv2.imdecode(np.frombuffer(encode(picture, FORMATS["png"]), np.uint8), cv2.IMREAD_UNCHANGED)
    by_opencv = np.atleast_3d(by_opencv)
    np.testing.assert_array_equal(by_opencv[..., 0 if samples < 3 else 2], stored[..., 0])  # BGR
    if samples in (2, 4):
        np.testing.assert_array_equal(by_opencv[..., 3], stored[..., -1])


def test_jpeg_and_webp_have_a_quality():
    for format, tolerance in (("jpeg", 3), ("webp", 0)):
        smooth = Picture(np.add.outer(np.arange(24), np.arange(40))[..., None].repeat(3, 2).astype(np.uint8) * 2)
        error = np.abs(there_and_back(smooth, format, 100).pixels.astype(int) - smooth.pixels).max()
        assert error <= tolerance
        assert len(encode(make(), FORMATS[format], 20)) < len(encode(make(), FORMATS[format], 90))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("format", ["png", "tiff", "webp", "jpeg"])
def test_profile_and_exif_data_are_kept(format, bits):
    picture = make(3, bits, profile=RGB_PROFILE, exif=metadata())
    back = there_and_back(picture, format)
    assert back.profile == RGB_PROFILE
    assert {tag: back.exif[tag] for tag in CAMERA} == CAMERA
    assert dict(back.exif[ExifTags.IFD.Exif]) == DETAILS
    assert back.exif[ExifTags.IFD.GPSInfo] == PLACE
    gray = make(1, bits, profile=GRAY_PROFILE)
    if format != "webp":
        assert there_and_back(gray, format).profile == GRAY_PROFILE


def test_exif_data_get_the_size_of_the_result():
    picture = make(exif=metadata())
    enlarged = picture.with_pixels(np.zeros((96, 160, 3), np.uint8), None)
    details = there_and_back(enlarged, "jpeg").exif[ExifTags.IFD.Exif]
    assert (details[40962], details[40963]) == (160, 96)
    assert picture.exif[ExifTags.IFD.Exif] == DETAILS


def test_a_profile_of_another_colour_space_is_dropped():
    assert decode_picture(saved(make(1).pixels[..., 0], "PNG", icc_profile=RGB_PROFILE), "x").profile is None
    assert make(profile=RGB_PROFILE).with_pixels(np.zeros((4, 4, 1), np.uint8), None).profile is None


def test_too_much_exif_data_for_a_jpeg():
    exif = metadata()
    exif[ExifTags.IFD.Exif][37500] = bytes(70000)
    kept = there_and_back(make(exif=exif), "jpeg").exif
    assert kept[271] == "Maker" and 37500 not in kept[ExifTags.IFD.Exif]
    exif[270] = "x" * 70000
    assert there_and_back(make(exif=exif), "jpeg").exif is None


def test_bmp_holds_no_metadata():
    back = there_and_back(make(profile=RGB_PROFILE, exif=metadata()), "bmp")
    assert back.profile is None and back.exif is None


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(orientation, format, bits):
    """To colours and alpha, and what is written then has none."""
    picture = make(3, bits, alpha=True)
    pixels = np.dstack([picture.pixels, picture.alpha])
    turned = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1], 5: pixels.swapaxes(0, 1),
        6: np.rot90(pixels, -1), 7: pixels[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(pixels),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    if bits == 8:
        content = saved(pixels, format, exif=exif)
    elif format == "TIFF":
        content = tiff(
            pixels, photometric="rgb", extrasamples=["unassalpha"], extratags=[(274, 3, 1, orientation, True)]
        )
    else:
        content = with_orientation(encode(picture, FORMATS["png"]), orientation)
    found = decode_picture(content, "x")
    for back in (found, there_and_back(found, "png")):
        np.testing.assert_array_equal(np.dstack([back.pixels, back.alpha]), turned)
        assert 274 not in (back.exif or {})


def with_orientation(png: bytes, orientation: int) -> bytes:
    """A PNG with an EXIF chunk, taken from one that Pillow writes."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    other = saved(np.zeros((1, 1), np.uint8), "PNG", exif=exif)
    start = other.index(b"eXIf") - 4
    chunk = other[start : other.index(b"IDAT") - 4]
    end = png.index(b"IDAT") - 4
    return png[:end] + chunk + png[end:]


@pytest.mark.parametrize(
    ("content", "pixels", "alpha"),
    [
        (tiff(DEEP[..., :3].transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate"),
         DEEP[..., :3], None),
        (tiff(DEEP[..., :2], photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]),
         DEEP[..., :1], DEEP[..., 1]),
        (tiff(DEEP, photometric="rgb", extrasamples=["unassalpha"]), DEEP[..., :3], DEEP[..., 3]),
        (tiff(DEEP[..., :3], photometric="rgb", compression="zlib", predictor=True), DEEP[..., :3], None),
        (tiff(DEEP[..., 0], byteorder=">"), DEEP[..., :1], None),
    ],
    ids=["separate planes", "gray and alpha", "alpha", "deflated", "big-endian"],
)  # fmt: skip
def test_tiffs_of_16_bits(content, pixels, alpha):
    picture = decode_picture(content, "x")
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert (picture.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(picture.alpha, alpha)


def test_colours_that_a_tiff_has_multiplied_by_alpha():
    alpha = np.maximum(DEEP[..., 3], 2000)
    multiplied = (DEEP[..., :3] * (alpha[..., None] / 65535)).round().astype(np.uint16)
    content = tiff(np.dstack([multiplied, alpha]), photometric="rgb", extrasamples=["assocalpha"])
    assert np.abs(decode_picture(content, "x").pixels.astype(int) - DEEP[..., :3]).max() <= 17  # rounding / alpha


def test_what_is_converted_is_said():
    cmyk = Image.fromarray(DEEP[..., :3].astype(np.uint8)).convert("CMYK")
    buffer = io.BytesIO()
    cmyk.save(buffer, "JPEG")
    picture = decode_picture(buffer.getvalue(), "x")
    assert picture.notes == ("CMYK, converted to RGB",) and picture.pixels.shape == (24, 40, 3)
    pages = saved(make().pixels, "TIFF", save_all=True, append_images=[Image.fromarray(make().pixels)])
    assert decode_picture(pages, "x").notes == ("the first of its 2 pictures",)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_animations_are_refused(name):
    frames = saved(make().pixels, name, save_all=True, append_images=[Image.fromarray(255 - make().pixels)])
    with pytest.raises(UserError, match=r"^x: an animation of 2 frames; only still pictures can be restored$"):
        decode_picture(frames, "x")


def test_damaged_exif_data_are_left_out():
    exif = Image.Exif()
    exif[0x8769] = {37500: b"note"}
    content = bytearray(saved(make().pixels, "JPEG", exif=exif))
    start = content.index(b"Exif\0\0") + 6
    content[start + 8 : start + 10] = b"\xff\xff"
    picture = decode_picture(bytes(content), "x")
    assert picture.pixels.shape == (24, 40, 3)


@pytest.mark.parametrize("name", ["ä ö 中 😀.png", "a'b\"c;d&e.tif", "100%.jpg", "-dash.webp", "a.b.c.bmp", " .png"])
def test_names_with_any_characters(tmp_path, name):
    path = tmp_path / name
    write_picture(path, make(), format_of(path), 100)
    assert read_picture(path).pixels.shape == (24, 40, 3)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_name_that_is_not_unicode(tmp_path):
    path = tmp_path / b"\xff\xfe.png".decode(errors="surrogateescape")
    write_picture(path, make(), FORMATS["png"])
    assert read_picture(path).pixels.shape == (24, 40, 3)
    path.write_bytes(b"x")
    with pytest.raises(UserError, match=r"\\ud.*not an image") as error:
        read_picture(path)
    assert str(error.value).isprintable()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.bmp"
    write_picture(path, make(), FORMATS["bmp"])
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"x\.bmp: BMP cannot hold its transparency"):
        write_picture(path, make(alpha=True), FORMATS["bmp"])
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(UserError, match=r"x\.bmp.y\.png: cannot be written: "):
        write_picture(path / "y.png", make(), FORMATS["png"])


def test_sizes_that_a_format_cannot_hold():
    with pytest.raises(UserError, match="1x16384 is too large for WEBP"):
        encode(Picture(np.zeros((16384, 1, 3), np.uint8)), FORMATS["webp"])


@pytest.mark.parametrize(
    ("make_file", "reason"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "a folder, not a file"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"text"), "not an image, or damaged"),
        (lambda path: path.write_bytes(saved(make().pixels, "PNG")[:900]), "damaged or truncated"),
        (lambda path: path.write_bytes(saved(np.zeros((4, 4), np.float32), "TIFF")), "signed or floating-point"),
        (lambda path: path.write_bytes(tiff(DEEP[..., :2], photometric="minisblack")[:300]), "damaged"),
    ],
    ids=["missing", "folder", "empty", "text", "truncated", "float", "truncated tiff"],
)
def test_what_cannot_be_read_is_named(tmp_path, make_file, reason):
    path = tmp_path / "x.png"
    make_file(path)
    with pytest.raises(UserError, match=f"x.png: .*{reason}") as error:
        read_picture(path)
    assert "\n" not in str(error.value)


def test_formats_by_name():
    assert choose_format("JPG").name == "JPEG" and choose_format(".tif").name == "TIFF"
    assert format_of(Path("A.TIFF")).name == "TIFF" and format_of("a.gif") is None
    with pytest.raises(UserError, match="--format: must be one of png, jpeg, webp, tiff, bmp, got 'gif'"):
        choose_format("gif")


def test_16_bits_are_rounded_for_formats_of_8():
    levels = np.array([[[0], [127], [128], [129], [65535], [65407]]], np.uint16)
    assert Picture(levels).in_8_bits().pixels.ravel().tolist() == [0, 0, 0, 1, 255, 255]
    assert replace(Picture(levels), alpha=levels[..., 0]).in_8_bits().alpha.dtype == np.uint8
