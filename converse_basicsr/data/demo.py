"""The embedded demonstration data: photographs that come with scikit-image, as x4 super-resolution pairs."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from basicsr.utils.lmdb_util import LmdbMaker
from basicsr.utils.matlab_functions import imresize

from ..errors import UserError

DEMO_ROOT = Path("datasets/demo")
SCALE = 4
SUB_SIZE = 192  # side of a training sub-image, in ground-truth pixels
SUB_STEP = 96
COMPRESS_LEVEL = 1
TRAIN = (
    "brick.png",
    "camera.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "rocket.jpg",
)
VAL = ("astronaut.png", "chelsea.png", "coffee.png")


def build_demo(root: str | os.PathLike = DEMO_ROOT, force: bool = False) -> bool:
    """Write the demonstration data set, all of it or nothing.

        root/train_HR_sub.lmdb, root/train_LRbicx4_sub.lmdb     training pairs, BasicSR's LMDB format
        root/val_HR, root/val_LRbicx4                           validation pairs, PNG

    LR images are BasicSR's MATLAB-style bicubic reduction, rounded to 8 bits. The result depends on nothing but
    the photographs.

    Args:
        root: the folder to make.
        force: replace the folder if it exists.

    Returns:
        Whether it was written; False if it was there already.

    Raises:
        UserError: scikit-image does not bring a photograph, or the folder cannot be written.
    """
    root = Path(root)
    if root.exists() and not force:
        return False
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    except OSError as error:
        raise UserError(f"cannot write {root}: {error}") from error
    try:
        staging.chmod(0o755)
        _write_train(staging)
        _write_val(staging)
        _put_in_place(staging, root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return True


def build_demo_if_asked_for(opt: dict) -> None:
    """Build DEMO_ROOT if the options read from it and it does not exist; no other folder is made up."""
    datasets = opt.get("datasets")
    roots = [
        Path(value)
        for section in (datasets.values() if isinstance(datasets, dict) else ())
        if isinstance(section, dict)
        for key, value in section.items()
        if key.startswith("dataroot") and isinstance(value, str)
    ]
    if not DEMO_ROOT.exists() and any(DEMO_ROOT in root.parents for root in roots):
        print(f"{DEMO_ROOT} is absent: making it from the photographs that come with scikit-image", flush=True)
        build_demo()


def _put_in_place(staging: Path, root: Path) -> None:
    if root.exists():
        previous = staging / "previous"
        os.replace(root, previous)
    try:
        os.rename(staging, root)
    except OSError:
        if not root.exists():  # else another process built the same data first
            raise
    shutil.rmtree(root / "previous", ignore_errors=True)


def _write_train(folder: Path) -> None:
    hr, lr = (
        LmdbMaker(str(folder / f"{name}.lmdb"), map_size=2**28, compress_level=COMPRESS_LEVEL)
        for name in ("train_HR_sub", f"train_LRbicx{SCALE}_sub")
    )
    for name in tqdm(TRAIN, desc="training photographs", unit="image"):
        image = _read(name)
        reduced = _reduce(image)
        for number, (top, left) in enumerate(_sub_positions(*image.shape[:2]), start=1):
            key = f"{Path(name).stem}_s{number:03d}"
            for maker, source, scale in ((hr, image, 1), (lr, reduced, SCALE)):
                side = SUB_SIZE // scale
                sub = source[top // scale :, left // scale :][:side, :side]
                maker.put(_encode(sub), key, sub.shape)
    hr.close()
    lr.close()


def _write_val(folder: Path) -> None:
    for name in tqdm(VAL, desc="validation photographs", unit="image"):
        image = _read(name)
        for subfolder, content in (("val_HR", image), (f"val_LRbicx{SCALE}", _reduce(image))):
            path = folder / subfolder / f"{Path(name).stem}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(_encode(content))


def _read(name: str) -> np.ndarray:
    """(H, W, 3) uint8, BGR, sides cropped to multiples of the scale; a gray photograph gets three equal channels."""
    from skimage.data import data_dir

    path = Path(data_dir) / name
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise UserError(f"scikit-image brings no {name} in {data_dir}; install scikit-image 0.20 or later")
    h, w = image.shape[:2]
    return image[: h - h % SCALE, : w - w % SCALE]


def _reduce(image: np.ndarray) -> np.ndarray:
    reduced = imresize(image.astype(np.float32) / 255, 1 / SCALE, antialiasing=True)
    return (reduced.clip(0, 1) * 255).round().astype(np.uint8)


def _sub_positions(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Top left corners of sub-images, one step apart, the last flush with the border (all multiples of SCALE)."""

    def starts(side: int) -> list[int]:
        return sorted({*range(0, side - SUB_SIZE, SUB_STEP), side - SUB_SIZE})

    return ((top, left) for top in starts(height) for left in starts(width))


def _encode(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, COMPRESS_LEVEL])[1].tobytes()
