"""Locations of weights, test sets and blur kernels on this machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files.assets import assets_folder
from ..files.image_folder import images_in, listed
from ..weights.catalogue import cache_folder
from ..weights.locating import PRETRAINED
from .protocols import BLUR_KERNELS, SETS, Protocol

DEFAULT_DATA = Path("datasets")
GROUND_TRUTH = ("original", "HR", "GT", "GTmod12")  # in order of preference: protocols crop the images themselves


@dataclass(frozen=True)
class Places:
    """Folders to search, in this order. A missing file raises a UserError that names its source."""

    weights: tuple[Path, ...]
    data: tuple[Path, ...]

    def checkpoint(self, protocol: Protocol) -> Path:
        absent = f"{protocol.weights}: not found in {_joined(self.weights)}; `basicsr weights get` downloads it"
        return _first((folder / protocol.weights for folder in self.weights), absent)

    def images(self, protocol: Protocol) -> Path:
        """The ground-truth folder of the test set."""
        name, source = SETS[protocol.test_set]
        found = (
            entry
            for folder in self.data
            for parent in (folder, folder / "testsets")
            if parent.is_dir()
            for entry in sorted(parent.iterdir())
            if entry.name.lower() == protocol.test_set and entry.is_dir()
        )
        absent = f"{name}: no folder {protocol.test_set} in {_joined(self.data)}; available from {source}"
        return _ground_truth(_first(found, absent))

    def psf(self, protocol: Protocol) -> Path:
        name = f"blur_kernels/{protocol.dataset['psf']}"
        absent = f"{name}: not found in {_joined(self.data)}; needs {BLUR_KERNELS}"
        return _first((folder / name for folder in self.data), absent)


def find_places(weights: str | None, data: str | None) -> Places:
    """The given folders, or the default ones and those in $CONVERSE_ASSETS.

    Raises:
        UserError: a given folder does not exist.
    """
    for option, named in (("--weights", weights), ("--data", data)):
        if named is not None and not Path(named).is_dir():
            raise UserError(f"{option}: no such folder: {named}")
    assets = assets_folder()
    return Places(
        (Path(weights),) if weights else (PRETRAINED, cache_folder(), *([assets / "weights"] if assets else [])),
        (Path(data),) if data else (DEFAULT_DATA, *([assets] if assets else [])),
    )


def _ground_truth(folder: Path) -> Path:
    """The folder that holds a test set's ground truth: `folder` itself or its first subfolder of GROUND_TRUTH.

    Raises:
        UserError: the images are spread over several folders, so inputs could be mistaken for ground truth.
    """
    holding = {path.parent for path in images_in(folder)}
    for place in [folder] if folder in holding else [folder / name for name in GROUND_TRUTH]:
        if {parent for parent in holding if parent.is_relative_to(place)} == {place}:
            return place
    raise UserError(
        f"{folder}: cannot tell which images are the ground truth, found images in {listed(sorted(holding))}; put "
        f"only the ground truth into {folder / GROUND_TRUTH[0]}, and no images into {folder} itself"
    )


def _first(paths: Iterable[Path], absent: str) -> Path:
    """The first path that exists; raises UserError(absent) if there is none."""
    for path in paths:
        if path.exists():
            return path
    raise UserError(absent)


def _joined(folders: tuple[Path, ...]) -> str:
    return ", ".join(map(str, folders))
