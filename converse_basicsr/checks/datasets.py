"""Checks of data sets: folders, options and the first sample."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .types import check_type


@dataclass(frozen=True)
class CheckedDataset:
    """What is known about a data set that passed its checks."""

    sample: dict  # the first sample
    smallest: tuple[int, int] | None  # height and width of the smallest ground-truth image, if known


def check_dataset(key: str, section: dict, phase: str, scale: int | None) -> CheckedDataset:
    """Build a data set and read its first sample.

    Args:
        key: the key under datasets.
        section: the options under that key.
        phase: 'train', 'val' or 'test'.
        scale: the option file's scale, or None.

    Raises:
        UserError: a folder or option is missing, the sample cannot be read, or there are no samples.
    """
    from basicsr.utils.registry import DATASET_REGISTRY

    where = f"datasets:{key}"
    dataset_class = check_type(f"{where}:type", section["type"], DATASET_REGISTRY, "dataset")
    options = deepcopy(section)
    options["phase"] = phase
    if scale is not None:
        options["scale"] = scale
    if scale is not None and section.get("gt_size", 0) % scale:
        raise UserError(f"{where}:gt_size: {section['gt_size']} is not a multiple of scale ({scale})")
    io_backend = options["io_backend"]
    lmdb = io_backend.get("type") == "lmdb"
    for name in [name for name in options if name.startswith(("dataroot", "meta_info"))]:
        if isinstance(options[name], str):
            options[name] = str(_check_path(f"{where}:{name}", options[name], lmdb and name.startswith("dataroot")))
    reading, sample = "its files", {}
    try:
        dataset = dataset_class(options)
        count = len(dataset)
        if count > 0:
            reading = f"its first sample {_files(dataset)}"
            sample = dataset[0]
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except KeyError as error:
        raise UserError(f"{where}: {dataset_class.__name__} needs the option {error}") from error
    except Exception as error:  # a data set may raise any exception over a bad file
        raise UserError(f"{where}: {dataset_class.__name__} cannot read {reading}: {_one_line(error)}") from error
    if count == 0:
        raise UserError(f"{where}: the data set has no images")
    return CheckedDataset(sample, None)


def _check_path(where: str, value: str, lmdb: bool) -> Path:
    path = Path(value)
    if not path.exists():
        raise UserError(f"{where}: no such file or folder: {value} (the current directory is {Path.cwd()})")
    if lmdb and not (path.suffix == ".lmdb" and (path / "meta_info.txt").is_file()):
        raise UserError(f"{where}: {value} is not an LMDB (a folder *.lmdb with meta_info.txt); for a folder of "
                        "images write io_backend: type: disk")  # fmt: skip
    if not lmdb and path.suffix == ".lmdb":
        raise UserError(f"{where}: {value} is an LMDB; write io_backend: type: lmdb")
    return path


def _files(dataset: object) -> str:
    """The files of the first sample, if the data set lists them in `paths` as BasicSR's do."""
    first = next(iter(getattr(dataset, "paths", None) or [""]))
    return f"({', '.join(map(str, first.values() if isinstance(first, dict) else [first]))})"


def _one_line(error: Exception) -> str:
    if isinstance(error, AttributeError) and "NoneType" in str(error):
        return "OpenCV cannot decode it"  # cv2.imdecode returned None, and BasicSR did not check
    return f"{type(error).__name__}: {' '.join(map(str, error.args))}".splitlines()[0]
