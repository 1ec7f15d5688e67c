"""Checks of data sets: folders, options, every file's header and the first sample."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from ..data import file_rules as rules
from ..data.ground_truth_dataset import GroundTruthDataset
from ..data.reading import files_of, in_one_line
from ..errors import UserError
from ..files.header_scan import file_headers, lmdb_headers
from ..files.image_header import ImageHeader
from ..files.lmdb_environment import lmdb_environment
from ..files.mmengine_backend import is_address
from ..options.constructors import check_type


@dataclass(frozen=True)
class CheckedDataset:
    """What the checks found out.

    Args:
        sample: the first sample.
        smallest: (height, width) of the smallest ground-truth image as validation uses it, by its shorter side; None
            without ground truth, or if the data set does not list its files.
        notes: one line each on what is allowed, but may be a mistake.
    """

    sample: dict
    smallest: tuple[int, int] | None
    notes: tuple[str, ...] = ()


def check_dataset(key: str, section: dict, phase: str, scale: int | None) -> CheckedDataset:
    """Build a data set, read the header of every file and the first sample.

    Args:
        key: the key under datasets.
        section: the options under that key.
        phase: 'train', 'val' or 'test'.
        scale: the option file's scale, or None.

    Raises:
        UserError: a folder or option is missing, the data set has no images, or a file is unusable; names the set.
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
    backend = (options.get("io_backend") or {}).get("type")
    lmdb = backend == "lmdb"
    for name in [name for name in options if name.startswith(("dataroot", "meta_info"))]:
        if isinstance(options[name], str):
            options[name] = _check_path(f"{where}:{name}", options[name], backend, name.startswith("dataroot"))
    name = dataset_class.__name__
    with _naming(where, name):
        notes = _check_folders(name, options, lmdb)
        dataset = dataset_class(options)
    if len(dataset) == 0:
        raise UserError(f"{where}: the data set has no images")
    with _naming(where, name):
        smallest = _check_files(where, dataset, options, lmdb, notes)
    with _naming(where, name, files_of(dataset, 0)):
        sample = dataset[0]
    return CheckedDataset(sample, smallest, tuple(notes))


def _check_path(where: str, value: str, backend: str | None, is_root: bool) -> str:
    if is_address(value):
        if not is_root:
            raise UserError(f"{where}: must be a file here, got the address {value}")
        if backend != "mmengine":
            raise UserError(f"{where}: {value} is an address; write io_backend: type: mmengine")
        return value
    path, lmdb = Path(value), is_root and backend == "lmdb"
    if not path.exists():
        raise UserError(f"{where}: no such file or folder: {value} (the current directory is {Path.cwd()})")
    if not (path.is_dir() or path.is_file()):
        raise UserError(f"{where}: {value} is neither a file nor a folder")
    if lmdb and not (path.suffix == ".lmdb" and (path / "meta_info.txt").is_file()):
        raise UserError(f"{where}: {value} is not an LMDB (a folder *.lmdb with meta_info.txt); for a folder of "
                        "images write io_backend: type: disk")  # fmt: skip
    if not lmdb and path.suffix == ".lmdb":
        raise UserError(f"{where}: {value} is an LMDB; write io_backend: type: lmdb")
    return str(path)


def _check_folders(name: str, options: dict, lmdb: bool) -> list[str]:
    """Check what the data set would report badly itself: truncated LMDBs, files without a partner. Returns notes."""
    roots = [options[key] for key in ("dataroot_gt", "dataroot_lq") if isinstance(options.get(key), str)]
    for root in roots if lmdb else ():
        lmdb_environment(root)
    listed = not lmdb and (options.get("meta_info_file") or options.get("meta_info"))
    for root in filter(is_address, () if listed else roots):
        raise UserError(f"meta_info_file: needed, because the files of {root} cannot be listed")
    if listed or name not in ("PairedImageDataset", "SingleImageDataset"):
        return []
    if name == "PairedImageDataset" and len(roots) == 2:
        rules.refuse_unpaired(*roots, None if lmdb else options.get("filename_tmpl", "{}"))
    return [] if lmdb else [note for root in roots for note in rules.skipped_note(root)]


def _check_files(where: str, dataset: object, options: dict, lmdb: bool, notes: list[str]) -> tuple[int, int] | None:
    """Read the headers, apply the rules, add notes, and return the size of the smallest ground-truth image."""
    from basicsr.data.paired_image_dataset import PairedImageDataset

    files, headers = _listed_files(dataset, options), {}
    ours, pairs = isinstance(dataset, GroundTruthDataset), isinstance(dataset, PairedImageDataset)
    if any(is_address(options[f"dataroot_{role}"]) for role in files):
        return _check_files_of_a_server(files, options["phase"], notes)
    for role, paths in files.items():
        root = options[f"dataroot_{role}"]
        headers[role] = (lmdb_headers if lmdb else file_headers)(root, paths, where)
        files[role] = [f"{root}/{key}" for key in paths] if lmdb else paths
        rules.refuse_unusable(files[role], headers[role])
        notes += rules.content_notes(headers[role], keeps_16_bits=ours)
    if options["phase"] != "train" and files:
        rules.refuse_same_names(files.get("lq") or files["gt"], files.get("gt"))
    if "gt" not in headers:
        return None
    sizes = [(header.height, header.width) for header in headers["gt"]]
    if pairs and options.get("scale"):
        scale, validates = options["scale"], options["phase"] != "train"
        rules.refuse_wrong_pairs(files["gt"], headers["lq"], headers["gt"], scale, crops=validates)
        notes += rules.crop_note(headers["lq"], headers["gt"], scale)
        sizes = [(scale * header.height, scale * header.width) for header in headers["lq"]]
    if ours:
        _check_sides(files["gt"], headers["gt"], options, dataset.least_side)
        sizes = [tuple(side - side % dataset.multiple for side in size) for size in sizes]
    if pairs and options["phase"] == "train":
        rules.refuse_small(files["gt"], headers["gt"], options["gt_size"], f"gt_size ({options['gt_size']})")
    return min(sizes, key=min)


def _check_files_of_a_server(files: dict[str, list[str]], phase: str, notes: list[str]) -> None:
    """Their headers would have to be downloaded: only the names are checked."""
    paths = files.get("lq") or files["gt"]
    if phase != "train":
        rules.refuse_same_names(paths, files.get("gt"))
    notes.append(f"{len(paths)} files are on a server; only the first is checked before the run")


def _check_sides(files: list[str], headers: list[ImageHeader], options: dict, least: int) -> None:
    """Check patch and images of a data set of ours; `least` is the smallest side that can be degraded."""
    if options["phase"] != "train":
        rules.refuse_small(files, headers, least, f"{least} pixels")
        return
    if options["gt_size"] < least:
        raise UserError(f"gt_size: must be {least} or more, got {options['gt_size']}")
    rules.refuse_small(files, headers, options["gt_size"], f"gt_size ({options['gt_size']})")


def _listed_files(dataset: object, options: dict) -> dict[str, list[str]]:
    """The files (or LMDB keys) of every sample by role, 'lq' or 'gt', from the list `paths` of BasicSR's data sets.

    A data set without such a list, for example of videos, gives {}: only its first sample is checked.
    """
    paths = getattr(dataset, "paths", None)
    if not isinstance(paths, list) or not paths:
        return {}
    roles = [role for role in ("lq", "gt") if f"dataroot_{role}" in options]
    if isinstance(paths[0], dict):
        return {role: [path[f"{role}_path"] for path in paths] for role in roles if f"{role}_path" in paths[0]}
    return {roles[0]: [str(path) for path in paths]} if len(roles) == 1 else {}


@contextmanager
def _naming(where: str, name: str, what: str = "its files") -> Iterator[None]:
    """Turn every exception of a data set into a UserError that names the set and what it could not read."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except KeyError as error:
        raise UserError(f"{where}: {name} needs the option {error}") from error
    except Exception as error:  # a data set may raise any exception over a bad file
        raise UserError(f"{where}: {name} cannot read {what}: {in_one_line(error)}") from error
