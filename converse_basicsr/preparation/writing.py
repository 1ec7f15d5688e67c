"""Writers of the two formats that BasicSR reads: an LMDB and a folder of PNG files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from basicsr.utils.lmdb_util import LmdbMaker

LMDB_FILES = {"data.mdb", "lock.mdb", "meta_info.txt"}
COMPRESS_LEVEL = 1  # BasicSR's choice: larger files, faster to read
_BATCH = 500  # images in memory before a commit

Encoded = tuple[str, bytes, tuple[int, ...]]  # key, PNG, shape of the image
Put = Callable[[str, bytes, tuple[int, ...]], object]


def encode(key: str, image: np.ndarray) -> Encoded:
    """An image (H, W, C) or (H, W) as PNG, for a writer: ``put(*encode(key, image))``."""
    return key, cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, COMPRESS_LEVEL])[1].tobytes(), image.shape


@contextmanager
def lmdb_writer(path: Path, map_size: int) -> Iterator[Put]:
    """Create an LMDB with BasicSR's meta_info.txt. After an exception it is incomplete.

    Args:
        path: folder to create; its name ends in .lmdb.
        map_size: maximum size in bytes; reserves address space, not disk space.
    """
    maker = LmdbMaker(str(path), map_size=map_size, batch=_BATCH, compress_level=COMPRESS_LEVEL)
    try:
        yield lambda key, png, shape: maker.put(png, key, (*shape, 1)[:3])
        maker.close()
    finally:  # closing again does nothing
        maker.env.close()
        maker.txt_file.close()


@contextmanager
def png_writer(folder: Path) -> Iterator[Put]:
    """Create a folder of PNG files named by key."""
    folder.mkdir()
    yield lambda key, png, shape: (folder / f"{key}.png").write_bytes(png)
