"""Where weights, test sets and blur kernels lie on this machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files.assets import assets_folder
from ..files.image_folder import images_in, listed
from .protocols import BLUR_KERNELS, SETS, WEIGHTS, Protocol

DEFAULT_WEIGHTS = Path("experiments/pretrained_models")
DEFAULT_DATA = Path("datasets")
GROUND_TRUTH = ("original", "HR", "GT", "GTmod12")  # the best first: protocols crop by themselves


@dataclass(frozen=True)
class Places:
    """Folders to search, in this order. What is in none of them is a UserError that says where it is to be had."""

    weights: tuple[Path, ...]
    data: tuple[Path, ...]

    def checkpoint(self, protocol: Protocol) -> Path:
        absent = f"{protocol.weights} is in none of {_joined(self.weights)}; it is to be had from {WEIGHTS}"
        return _first((folder / protocol.weights for folder in self.weights), absent)

    def images(self, protocol: Protocol) -> Path:
        """The folder of a set's ground truth."""
        name, source = SETS[protocol.test_set]
        found = (
            entry
            for folder in self.data
            for parent in (folder, folder / "testsets")
            if parent.is_dir()
            for entry in sorted(parent.iterdir())
            if entry.name.lower() == protocol.test_set and entry.is_dir()
        )
        absent = f"{name}: no folder {protocol.test_set} in {_joined(self.data)}; it is to be had from {source}"
        return _ground_truth(_first(found, absent))

    def psf(self, protocol: Protocol) -> Path:
        name = f"blur_kernels/{protocol.dataset['psf']}"
        absent = f"{name} is in none of {_joined(self.data)}; needed: {BLUR_KERNELS}"
        return _first((folder / name for folder in self.data), absent)


def find_places(weights: str | None, data: str | None) -> Places:
    """The folders named, or the usual ones and those of CONVERSE_ASSETS.

    Raises:
        UserError: a folder that was named does not exist.
    """
    for option, named in (("--weights", weights), ("--data", data)):
        if named is not None and not Path(named).is_dir():
            raise UserError(f"{option}: no such folder: {named}")
    assets = assets_folder()
    return Places(
        (Path(weights),) if weights else (DEFAULT_WEIGHTS, *([assets / "weights"] if assets else [])),
        (Path(data),) if data else (DEFAULT_DATA, *([assets] if assets else [])),
    )


def _ground_truth(folder: Path) -> Path:
    """The one folder of a test set's images: itself, or of those in it the first of GROUND_TRUTH.

    Raises:
        UserError: none of them has all of its images directly in it; inputs would be taken for ground truth.
    """
    holding = {path.parent for path in images_in(folder)}
    for place in [folder] if folder in holding else [folder / name for name in GROUND_TRUTH]:
        if {parent for parent in holding if parent.is_relative_to(place)} == {place}:
            return place
    raise UserError(
        f"{folder}: which images are the ground truth is not clear, they lie in {listed(sorted(holding))}; put it "
        f"alone into {folder / GROUND_TRUTH[0]}, and none into {folder} itself"
    )


def _first(paths: Iterable[Path], absent: str) -> Path:
    """The first that exists, else a UserError of that message."""
    for path in paths:
        if path.exists():
            return path
    raise UserError(absent)


def _joined(folders: tuple[Path, ...]) -> str:
    return ", ".join(map(str, folders))
