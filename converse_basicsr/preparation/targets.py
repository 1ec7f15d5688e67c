"""Output paths of prepared images, and protection of the user's other files."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files.image_folder import listed
from .writing import LMDB_FILES


@dataclass(frozen=True)
class Targets:
    """One or two outputs (images, LR images), both LMDBs or both folders; folders also have a meta information file."""

    images: tuple[Path, ...]
    meta_info: Path | None

    @property
    def is_lmdb(self) -> bool:
        return self.meta_info is None

    @property
    def all(self) -> tuple[Path, ...]:
        return self.images if self.meta_info is None else (*self.images, self.meta_info)

    def option_lines(self) -> list[str]:
        """The lines to paste into the data set section of an option file."""
        lines = [f"{key}: {path}" for key, path in zip(("dataroot_gt", "dataroot_lq"), self.images, strict=False)]
        if self.meta_info:
            lines.append(f"meta_info_file: {self.meta_info}")
        return [*lines, "io_backend:", f"  type: {'lmdb' if self.is_lmdb else 'disk'}"]


def plan_targets(
    folders: Sequence[Path], out: Path, lr_out: str | os.PathLike | None, lr_scale: int | None, force: bool
) -> Targets:
    """Choose and check the output paths.

    Raises:
        UserError: outputs are inconsistent, exist (with force: and hold other files), or overlap an input folder.
    """
    if lr_out is not None and lr_scale is None:
        raise UserError(f"lr_out {lr_out} needs an lr_scale")
    images = [_named(out)]
    is_lmdb = out.suffix == ".lmdb"
    if lr_out is not None:
        images.append(_named(Path(lr_out)))
    elif lr_scale is not None:
        name = out.name.removesuffix(".lmdb") + f"_LRbicx{lr_scale}"
        images.append(out.with_name(f"{name}.lmdb" if is_lmdb else name))
    if len({path.suffix == ".lmdb" for path in images}) > 1:
        raise UserError(f"{out} and {lr_out} must both end in .lmdb, or neither")
    targets = Targets(tuple(images), None if is_lmdb else out.with_name(f"meta_info_{out.name}.txt"))
    for number, target in enumerate(targets.all):
        for other in (*folders, *targets.all[:number]):
            if _overlap(target, other):
                raise UserError(f"{target} and {other} must not overlap: one is inside the other, or they are the same")
        _check_absent(target, targets, force)
    return targets


def _named(path: Path) -> Path:
    if path.name in ("", ".."):
        raise UserError(f"{path} is not a name to write to")
    return path


def _overlap(one: Path, other: Path) -> bool:
    one, other = one.resolve(), other.resolve()
    return one == other or one in other.parents or other in one.parents


def _check_absent(target: Path, targets: Targets, force: bool) -> None:
    if not os.path.lexists(target):
        return
    if not force:
        raise UserError(f"{target} exists; --force replaces it")
    foreign = _foreign(target, targets)
    if foreign:
        raise UserError(f"{target} differs from what an earlier call wrote ({listed(sorted(foreign))}); remove it")


def _foreign(target: Path, targets: Targets) -> set[str]:
    """Names that differ from what an earlier call wrote: --force with a wrong --out must delete no other files.

    An LMDB counts as written if it holds exactly the files of an LMDB; a folder, if the meta information file lists
    exactly its files; the meta information file, if it lists exactly the ground truth.
    """
    names = _names(target)
    if targets.meta_info is None:
        return set() if LMDB_FILES - {"lock.mdb"} <= names <= LMDB_FILES else names
    written = _written(targets.meta_info)
    if target == targets.meta_info:
        return set() if written and written == _names(targets.images[0]) else {target.name}
    return names ^ written


def _names(target: Path) -> set[str]:
    return {path.name for path in target.iterdir()} if target.is_dir() else {target.name}


def _written(meta_info: Path) -> set[str]:
    """The files that a meta information file lists."""
    if not meta_info.is_file():
        return set()
    return {line.split(" ")[0] for line in meta_info.read_text(errors="replace").splitlines()}
