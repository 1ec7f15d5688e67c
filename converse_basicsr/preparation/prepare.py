"""Preparation of an LMDB or PNG files from folders of images."""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import lmdb
from tqdm import tqdm

from ..errors import UserError
from ..files.image_folder import listed
from .image_files import ImageFile, find_images, read_size
from .recipe import Recipe
from .staging import staged
from .targets import Targets, plan_targets
from .workers import OrderedMap, worker_processes
from .writing import lmdb_writer, png_writer

_SAMPLES = 4  # images used to estimate the disk space
_PAGE = 4096  # bytes; the size of an image is rounded up to pages, on disk and in an LMDB


@dataclass(frozen=True)
class Prepared:
    """What was written: outputs, images per output, bytes by output, and the images that were skipped."""

    targets: Targets
    count: int
    sizes: dict[Path, int]
    skipped: list[Path]


def prepare(
    folders: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    recipe: Recipe,
    lr_out: str | os.PathLike | None = None,
    skip_small: bool = False,
    workers: int = 1,
    force: bool = False,
) -> Prepared:
    """Write an LMDB or a folder of PNG files, and optionally their LR versions; on any error nothing is written.

    The pixels are those that BasicSR reads from the files (8 bits, BGR; alpha is dropped, EXIF orientation applied).
    Every file is decoded once before writing starts.

    Args:
        folders: folders of images, searched recursively.
        out: an LMDB if it ends in .lmdb, else a folder; meta_info_<its name>.txt is written beside a folder.
        recipe: sub-images, LR scale and channels.
        lr_out: output of the LR images; None: out with _LRbicx<scale> added to its name.
        skip_small: skip images that are smaller than the recipe needs.
        workers: number of processes.
        force: replace what an earlier call wrote there.

    Raises:
        UserError: a folder, file, value or output is invalid, the disk is too small, or writing fails.
    """
    if workers < 1:
        raise UserError(f"workers must be 1 or more, got {workers}")
    targets = plan_targets([Path(folder) for folder in folders], Path(out), lr_out, recipe.lr_scale, force)
    files = find_images([Path(folder) for folder in folders])
    try:
        with worker_processes(workers) as ordered_map:
            sizes = _read_sizes(files, ordered_map)
            kept, skipped = _divide(files, sizes, recipe.least_side, skip_small)
            _check_space(kept, recipe, targets, ordered_map)
            largest = [recipe.largest(*sizes[file]) for file in kept]
            map_size = 2**24 + 2 * sum(size + 4 * _PAGE * number for number, size in largest)  # twice the worst case
            count = _write(kept, recipe, targets, force, map_size, ordered_map)
    except BrokenProcessPool as error:
        raise UserError(f"one of {workers} processes was killed (out of memory?); use fewer workers") from error
    except (OSError, lmdb.Error) as error:
        raise UserError(f"cannot write {out}: {error}") from error
    return Prepared(targets, count, {path: _bytes_in(path) for path in targets.images}, [file.path for file in skipped])


def _read_sizes(files: list[ImageFile], ordered_map: OrderedMap) -> dict[ImageFile, tuple[int, int]]:
    results = tqdm(ordered_map(read_size, files), desc="checking", total=len(files), unit="image")
    sizes = dict(zip(files, results, strict=True))
    unreadable = [f"{file.path} ({reason})" for file, reason in sizes.items() if isinstance(reason, str)]
    if unreadable:
        verb = "file cannot" if len(unreadable) == 1 else "files cannot"
        raise UserError(f"{len(unreadable)} {verb} be read as images: {listed(unreadable)}")
    return sizes


def _divide(
    files: list[ImageFile], sizes: dict[ImageFile, tuple[int, int]], least: int, skip_small: bool
) -> tuple[list[ImageFile], list[ImageFile]]:
    """(images that are large enough, images that are too small)."""
    small = [file for file in files if min(sizes[file]) < least]
    named = listed(f"{file.path} ({'x'.join(map(str, sizes[file]))})" for file in small)
    if small and not skip_small:
        raise UserError(f"{len(small)} of {len(files)} images are smaller than {least}x{least}: {named}; --skip-small "
                        "skips them")  # fmt: skip
    if len(small) == len(files):
        raise UserError(f"all images are smaller than {least}x{least}: {named}")
    return [file for file in files if min(sizes[file]) >= least], small


def _check_space(files: list[ImageFile], recipe: Recipe, targets: Targets, ordered_map: OrderedMap) -> None:
    """Estimate the output size from a few images and compare it with the free space of every disk in use."""
    sample = files[:: -(-len(files) // _SAMPLES)]
    needed, folders = Counter(), {}
    for levels in ordered_map(recipe.make, sample):
        for target, parts in zip(targets.images, levels, strict=True):
            folder = _existing(target.parent)
            device = folder.stat().st_dev
            needed[device] += sum(len(png) + _PAGE for _, png, _ in parts) * len(files) // len(sample)
            folders[device] = folder
    for device, folder in folders.items():
        free = shutil.disk_usage(folder).free
        if needed[device] > free:
            raise UserError(f"{folder} has {free / 2**30:.2f} GiB free, but needs {needed[device] / 2**30:.2f} GiB")


def _write(
    files: list[ImageFile], recipe: Recipe, targets: Targets, force: bool, map_size: int, ordered_map: OrderedMap
) -> int:
    """Write all outputs, move them into place, and return the number of images in each."""
    meta_info = []
    with staged(*targets.all, force=force) as made:
        with ExitStack() as stack:
            puts = [
                stack.enter_context(lmdb_writer(path, map_size) if targets.is_lmdb else png_writer(path))
                for path in made[: len(targets.images)]
            ]
            progress = tqdm(ordered_map(recipe.make, files), desc="writing", total=len(files), unit="image")
            for levels in progress:
                for put, parts in zip(puts, levels, strict=True):
                    for part in parts:
                        put(*part)
                meta_info += [f"{key}.png ({','.join(map(str, (*shape, 1)[:3]))})\n" for key, _, shape in levels[0]]
        if targets.meta_info:
            made[-1].write_text("".join(meta_info))
    return len(meta_info)


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
