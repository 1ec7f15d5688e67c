"""Ground truth without an input: for degradation on the device, and the base of the degraded data sets."""

import os
from pathlib import Path

import lmdb
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from basicsr.data.data_util import paths_from_lmdb
from basicsr.utils import FileClient
from basicsr.utils.registry import DATASET_REGISTRY

from ..errors import UserError, did_you_mean
from ..files.image_folder import images_in, listed
from ..files.mmengine_backend import is_address
from ..images.decoding import COLORS, decode_pixels, to_unit_range
from ..options.data_sets import Images, TrainSet
from .file_rules import refuse_same_names

LOADER_KEYS = ("type", "phase", "scale", *(key for key in TrainSet.model_fields if key not in Images.model_fields))


@DATASET_REGISTRY.register()
class GroundTruthDataset(Dataset):
    """Ground-truth images: random patches for training, whole images for validation.

    Options:
        dataroot_gt (str): A folder (searched recursively), an LMDB, or an address such as http://host/folder. File
            names without suffix must be unique for validation.
        io_backend (dict): type: disk or lmdb, as in BasicSR; or mmengine, see MmengineBackend.
        meta_info_file (str): Lists the files or LMDB keys to use, one per line; needed for an address. Default: all.
        color (str): 'rgb' or 'gray'; other files are converted. Default: 'rgb'.
        gt_size (int): Side of a training patch; training only.
        use_hflip (bool): Flip at random; training only. Default: False.
        use_rot (bool): Flip vertically and transpose at random; training only. Default: False.

    Samples: gt (C, H, W) float32 in [0, 1], RGB or gray, and gt_path.

    Raises:
        UserError: an option or a file is invalid; names it.
    """

    KEYS = ("dataroot_gt", "io_backend", "meta_info_file", "color", "gt_size", "use_hflip", "use_rot")
    multiple = 1  # whole images are cropped to multiples of this

    def __init__(self, opt: dict):
        self.opt = opt
        self.check_keys()
        self.is_train = opt["phase"] == "train"
        self.color = opt.get("color", "rgb")
        if self.color not in COLORS:
            raise UserError(f"color: must be {' or '.join(COLORS)}, got {self.color!r}")
        if self.is_train and "gt_size" not in opt:
            raise KeyError("gt_size")
        root = opt["dataroot_gt"]
        self.root = root.rstrip("/") if is_address(root) else Path(root).expanduser()
        self.io_backend = dict(opt["io_backend"])
        self.paths = self._find()
        if not self.is_train:
            refuse_same_names(self.paths)
        self._file_client: FileClient | None = None

    def check_keys(self) -> None:
        for key in self.opt:
            if key not in (*self.KEYS, *LOADER_KEYS):
                raise UserError(f"no option {key!r}{did_you_mean(key, self.KEYS)} ({', '.join(self.KEYS)})")

    @property
    def least_side(self) -> int:
        """The smallest side that can be degraded."""
        return self.multiple

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict:
        gt = to_tensor(self.read(index))
        return {"gt": gt, "gt_path": self.paths[index]}

    def read(self, index: int) -> np.ndarray:
        """Ground truth (H, W, C) in [0, 1]: a random patch, or the whole image cropped to a multiple."""
        path = self.paths[index]
        name = path if self.io_backend["type"] != "lmdb" else f"{self.root}/{path}"
        pixels = decode_pixels(self._content(path, name), name, self.color)
        if self.is_train:  # converted after cropping: most images are much larger than a patch
            patch = random_patch(pixels, self.opt["gt_size"], name)
            return to_unit_range(augment(patch, self.opt.get("use_hflip", False), self.opt.get("use_rot", False)))
        height, width = (side - side % self.multiple for side in pixels.shape[:2])
        if min(height, width) < self.least_side:
            raise UserError(f"{name}: the image is {pixels.shape[0]}x{pixels.shape[1]}, smaller than {self.least_side}")
        return to_unit_range(pixels[:height, :width])

    def _find(self) -> list[str]:
        meta_info = self.opt.get("meta_info_file")
        names = first_words(Path(meta_info).expanduser()) if meta_info else None
        if self.io_backend["type"] != "lmdb":
            if names is not None:
                return [os.path.join(self.root, name) for name in names]
            if is_address(self.root):
                raise UserError(f"meta_info_file: needed, because the files of {self.root} cannot be listed")
            return [str(path) for path in images_in(self.root)]
        self.io_backend.update(db_paths=[str(self.root)], client_keys=["gt"])
        known = paths_from_lmdb(str(self.root))
        keys = known if names is None else [name.split(".")[0] for name in names]
        absent = sorted({*keys} - {*known})
        if absent:
            raise UserError(f"{meta_info}: {self.root} has no key {listed(absent)}")
        return keys

    def _content(self, path: str, name: str) -> bytes:
        if self._file_client is None:  # not in __init__: each worker opens the LMDB itself
            options = dict(self.io_backend)
            self._file_client = FileClient(options.pop("type"), **options)
        try:
            content = self._file_client.get(path, "gt")
        except OSError as error:
            raise UserError(f"cannot read {name}: {error.strerror}") from error
        except (lmdb.Error, UnicodeEncodeError) as error:
            raise UserError(f"cannot read {name}: {error}") from error
        if content is None:
            raise UserError(f"{name}: the LMDB does not hold it")
        return content


def first_words(meta_info: Path) -> list[str]:
    """The first word of every line: a file name; its part before the first dot is the LMDB key."""
    return [line.split(" ")[0] for line in meta_info.read_text(encoding="utf-8").splitlines() if line.strip()]


def random_patch(image: np.ndarray, size: int, path: str) -> np.ndarray:
    """A random patch (size, size[, C]) of an image; UserError, naming the path, if the image is smaller."""
    height, width = image.shape[:2]
    if min(height, width) < size:
        raise UserError(f"{path}: the image is {height}x{width}, smaller than gt_size ({size})")
    top, left = _random(height - size + 1), _random(width - size + 1)
    return image[top : top + size, left : left + size]


def augment(image: np.ndarray, use_hflip: bool, use_rot: bool) -> np.ndarray:
    """Flip horizontally (use_hflip), flip vertically and transpose (use_rot), each with probability 1/2."""
    if use_hflip and _random(2):
        image = image[:, ::-1]
    if use_rot and _random(2):
        image = image[::-1]
    if use_rot and _random(2):
        image = image.swapaxes(0, 1)
    return image


def to_tensor(image: np.ndarray) -> Tensor:
    """(H, W, C) -> (C, H, W), float32."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))


def _random(count: int) -> int:
    """A random integer below count from torch's generator, which differs between epochs (see Degradation)."""
    return int(torch.randint(count, ()))
