"""Headers of image files: what is refused and why, what is never opened, and the cache."""

import io
import json
import os
import socket
import time

import numpy as np
import pytest
from PIL import Image

from converse_basicsr.files.header_scan import file_headers
from converse_basicsr.files.image_header import ImageHeader, bytes_header, file_header

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000")


def encoded(format: str, pixels=PIXELS, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache folder, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_and_the_same_bytes_in_memory(tmp_path, format):
    (tmp_path / "image").write_bytes(encoded(format))
    expected = ImageHeader(format, 24, 40, 3, False, 8)
    assert file_header(tmp_path / "image") == bytes_header(encoded(format)) == expected
    assert bytes_header(memoryview(encoded(format))) == expected


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_found(format, kept):
    content = encoded(format)
    assert bytes_header(content[: int(len(content) * kept)]).startswith(("damaged", "not an image, or damaged"))


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("added", [b"\0" * 100, b"\0" * 10000])
def test_bytes_after_the_image_are_allowed(format, added):
    assert bytes_header(encoded(format) + added) == bytes_header(encoded(format))


def test_what_is_not_a_file_is_named_and_never_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to("nothing")
    (tmp_path / "loop.png").symlink_to("loop.png")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        listening.bind("socket.png")
    assert file_header(tmp_path / "pipe.png") == "a named pipe (FIFO), not a file"
    assert file_header(tmp_path / "socket.png") == "a socket, not a file"
    assert file_header(tmp_path / "folder.png") == "a folder, not a file"
    assert file_header("/dev/zero") == "a device, not a file"
    assert file_header(tmp_path / "link.png") == file_header(tmp_path / "loop.png") == "a link to nothing"
    assert file_header(tmp_path / "absent.png") == "No such file or directory"


def test_a_file_without_permission_is_named(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(encoded("PNG"))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    assert file_header(path) == "Permission denied"


def test_a_path_outside_ascii(tmp_path):
    path = tmp_path / "größe 図.png"
    path.write_bytes(encoded("PNG"))
    assert file_header(path).width == 40


# --- many files, and the cache ---


@pytest.fixture
def many(tmp_path):
    """A folder of 1100 small images, enough for the cache, and their paths."""
    folder = tmp_path / "many"
    folder.mkdir()
    content = encoded("PNG", PIXELS[:4, :4])
    paths = [folder / f"{number}.png" for number in range(1100)]
    for path in paths:
        path.write_bytes(content)
    return folder, [str(path) for path in paths]


def altered(cache, change) -> None:
    """Change the only cache file."""
    (path,) = (cache / "converse_basicsr/headers").iterdir()
    change(path)


def shift(path) -> None:
    """Let the cache say that every image is 1 pixel higher: so a test sees where a header comes from."""
    content = json.loads(path.read_text())
    for entry in content["headers"].values():
        entry[3] += 1
    path.write_text(json.dumps(content))


def heights(folder, paths) -> list[int]:
    return [header.height for header in file_headers(folder, paths, "test")]


def test_headers_come_in_order_and_from_the_cache_the_second_time(cache, many):
    folder, paths = many
    (folder / "5.png").write_bytes(encoded("PNG", PIXELS[:7]))
    assert heights(folder, paths) == [4] * 5 + [7] + [4] * 1094
    altered(cache, shift)
    assert heights(folder, paths) == [5] * 5 + [8] + [5] * 1094


def test_a_changed_file_is_read_again(cache, many):
    folder, paths = many
    heights(folder, paths)
    altered(cache, shift)
    (folder / "3.png").write_bytes(encoded("PNG", PIXELS[:9]))  # another size
    os.utime(folder / "4.png", ns=(time.time_ns(), time.time_ns() + 10**9))  # the same size, another time
    assert heights(folder, paths)[2:6] == [5, 9, 4, 5]


def test_unusable_files_are_not_cached(cache, many):
    folder, paths = many
    (folder / "0.png").write_bytes(b"text")
    assert [file_headers(folder, paths, "test")[0] for _ in range(2)] == ["not an image, or damaged"] * 2
    (path,) = (cache / "converse_basicsr/headers").iterdir()
    assert len(json.loads(path.read_text())["headers"]) == 1099


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff\xfe{"),
        lambda path: path.write_text("[1]"),
        lambda path: path.write_text(path.read_text()[:500]),
        lambda path: path.write_text(path.read_text().replace('"version": [', '"version": [0, ')),
        lambda path: path.unlink() or path.mkdir(),
    ],
)
def test_a_damaged_cache_is_ignored(cache, many, damage):
    folder, paths = many
    heights(folder, paths)
    altered(cache, shift)
    altered(cache, damage)
    assert heights(folder, paths) == [4] * 1100


def test_a_cache_that_cannot_be_written_is_ignored(cache, many):
    cache.write_text("a file where the folder should be")
    assert heights(*many) == heights(*many) == [4] * 1100


def test_few_files_leave_no_cache(cache, many):
    folder, paths = many
    heights(folder, paths[:100])
    assert not cache.exists()
