"""The demo data: x4 super-resolution pairs made from the photographs in scikit-image."""

import os
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from basicsr.data.transforms import mod_crop

from ..degradations.bicubic import reduce_bicubic
from ..errors import UserError
from ..files.image_folder import listed
from .staging import staged
from .sub_images import sub_images
from .writing import LMDB_FILES, encode, lmdb_writer, png_writer

DEMO_ROOT = Path("datasets/demo")
SCALE = 4
SUB_SIZE = 192  # side of a training sub-image, in ground-truth pixels
SUB_STEP = 96
MAP_SIZE = 2**28
HR_SUB, LR_SUB = "train_HR_sub.lmdb", f"train_LRbicx{SCALE}_sub.lmdb"
HR, LR = "val_HR", f"val_LRbicx{SCALE}"
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
    """Write the demo data set atomically.

        root/train_HR_sub.lmdb, root/train_LRbicx4_sub.lmdb     training pairs, BasicSR's LMDB format
        root/val_HR, root/val_LRbicx4                           validation pairs, PNG

    LR images are BasicSR's MATLAB-style bicubic downsampling, rounded to 8 bits. The result depends only on the
    photographs.

    Args:
        root: the folder to create.
        force: replace an existing folder that holds only demo data.

    Returns:
        True if it was written, False if it already existed.

    Raises:
        UserError: scikit-image lacks a photograph, the folder cannot be written, or force would delete other files.
    """
    root = Path(root)
    if root.is_file() and not force:
        raise UserError(f"{root} is a file; give a folder, --root FOLDER")
    if root.exists() and not force:
        return False
    _check_own(root)
    try:
        with staged(root, force=force) as (folder,):
            folder.mkdir()
            _write_train(folder)
            _write_val(folder)
    except OSError as error:
        if root.exists() and not force:
            return False  # another process has built the same data meanwhile
        raise UserError(f"cannot write {root}: {error}") from error
    return True


def build_demo_if_asked_for(opt: dict) -> None:
    """Build DEMO_ROOT if it does not exist and the options read from it."""
    if lacks_demo(opt):
        print(f"{DEMO_ROOT} does not exist: making it from the photographs in scikit-image", flush=True)
        build_demo()


def lacks_demo(opt: dict) -> bool:
    """Whether the options read from DEMO_ROOT, which does not exist."""
    datasets = opt.get("datasets")
    roots = [
        Path(value)
        for section in (datasets.values() if isinstance(datasets, dict) else ())
        if isinstance(section, dict)
        for key, value in section.items()
        if key.startswith("dataroot") and isinstance(value, str)
    ]
    return not DEMO_ROOT.exists() and any(DEMO_ROOT in root.parents for root in roots)


def _check_own(root: Path) -> None:
    """Raise UserError if root holds other files than the demo data: --force with a wrong --root must delete nothing."""
    own = {f"{part}/{name}" for part in (HR_SUB, LR_SUB) for name in LMDB_FILES}
    own |= {f"{part}/{Path(name).stem}.png" for part in (HR, LR) for name in VAL}
    files = [root] if root.is_file() else [path for path in sorted(root.rglob("*")) if not path.is_dir()]
    foreign = [path for path in files if path.relative_to(root).as_posix() not in own]
    if foreign:
        raise UserError(f"{root} holds files that are not demo data ({listed(foreign)}); remove it")


def _write_train(folder: Path) -> None:
    with (
        lmdb_writer(folder / HR_SUB, MAP_SIZE) as put_hr,
        lmdb_writer(folder / LR_SUB, MAP_SIZE) as put_lr,
    ):
        for name in tqdm(TRAIN, desc="training photographs", unit="image"):
            image = _read(name)
            for put, content, scale in ((put_hr, image, 1), (put_lr, reduce_bicubic(image, SCALE), SCALE)):
                for key, sub in sub_images(Path(name).stem, content, SUB_SIZE // scale, SUB_STEP // scale):
                    put(*encode(key, sub))


def _write_val(folder: Path) -> None:
    with png_writer(folder / HR) as put_hr, png_writer(folder / LR) as put_lr:
        for name in tqdm(VAL, desc="validation photographs", unit="image"):
            image = _read(name)
            put_hr(*encode(Path(name).stem, image))
            put_lr(*encode(Path(name).stem, reduce_bicubic(image, SCALE)))


def _read(name: str) -> np.ndarray:
    """A photograph (H, W, 3), uint8 BGR, sides cropped to multiples of SCALE; gray becomes three equal channels."""
    from skimage.data import data_dir

    path = Path(data_dir) / name
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise UserError(f"scikit-image has no {name} in {data_dir}; install scikit-image 0.20 or later")
    return mod_crop(image, SCALE)
