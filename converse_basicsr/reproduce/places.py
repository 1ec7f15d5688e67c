"""Locations of weights, test sets and blur kernels on this machine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files.assets import assets_folder
from ..files.image_folder import images_in, listed
from ..weights.catalogue import published
from ..weights.locating import find, folders, say_once
from .protocols import BLUR_KERNELS, SETS, Protocol

DEFAULT_DATA = Path("datasets")
GROUND_TRUTH = ("original", "HR", "GT", "GTmod12")  # in order of preference: protocols crop the images themselves


class Missing(UserError):
    """A file or folder that is in none of the places.

    Attributes:
        name: of the file or folder.
        source: where it comes from, in words; None for weights, which `basicsr weights get` downloads.
    """

    def __init__(self, name: str, source: str | None):
        super().__init__(f"{name}: not found; from {source or 'basicsr weights get'}")
        self.name = name
        self.source = source


@dataclass(frozen=True)
class Places:
    """Where the files of the protocols are.

    Attributes:
        weights: a folder of weights, published or not; None: the published ones, wherever weights.locating finds them.
        data: folders to search, in this order.
    """

    weights: Path | None
    data: tuple[Path, ...]

    @property
    def weights_folders(self) -> tuple[Path, ...]:
        """The folders that `checkpoint` searches."""
        return folders() if self.weights is None else (self.weights,)

    def missing(self, protocol: Protocol) -> list[Missing]:
        """What the protocol needs and cannot be found."""
        lookups: list[Callable[[Protocol], Path]] = [self.checkpoint, self.images]
        found = []
        for look_up in lookups if protocol.psf is None else [*lookups, self.psf]:
            try:
                look_up(protocol)
            except Missing as missing:
                found.append(missing)
            except UserError:  # it is there, but cannot be used, which the evaluation reports
                pass
        return found

    def checkpoint(self, protocol: Protocol) -> Path:
        if self.weights is None:
            path = find(published(Path(protocol.weights).stem), say_once)
        else:
            path = self.weights / protocol.weights
        if path is None or not path.exists():
            raise Missing(protocol.weights, None)
        return path

    def images(self, protocol: Protocol) -> Path:
        """The ground-truth folder of the test set."""
        found = (
            entry
            for folder in self.data
            for parent in (folder, folder / "testsets")
            if parent.is_dir()
            for entry in sorted(parent.iterdir())
            if entry.name.lower() == protocol.test_set and entry.is_dir()
        )
        return _ground_truth(_first(found, Missing(protocol.test_set, SETS[protocol.test_set][1])))

    def psf(self, protocol: Protocol) -> Path:
        parents = [folder / "blur_kernels" for folder in self.data]
        _first(parents, Missing("blur_kernels", BLUR_KERNELS))
        name = protocol.dataset["psf"]
        return _first((folder / name for folder in parents), Missing(f"blur_kernels/{name}", BLUR_KERNELS))


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
        Path(weights) if weights else None,
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


def _first(paths: Iterable[Path], missing: Missing) -> Path:
    """The first path that exists; raises `missing` if there is none."""
    for path in paths:
        if path.exists():
            return path
    raise missing
