"""Where weights, test sets and blur kernels lie on this machine."""

from dataclasses import dataclass
from pathlib import Path

from ..assets import assets_folder
from ..errors import UserError
from .protocols import BLUR_KERNELS, SETS, WEIGHTS, Protocol

DEFAULT_WEIGHTS = Path("experiments/pretrained_models")
DEFAULT_DATA = Path("datasets")


@dataclass(frozen=True)
class Places:
    """Folders to search, in this order."""

    weights: tuple[Path, ...]
    data: tuple[Path, ...]

    def checkpoint(self, protocol: Protocol) -> Path | None:
        return _first(folder / protocol.weights for folder in self.weights)

    def images(self, protocol: Protocol) -> Path | None:
        return _first(
            found
            for folder in self.data
            for parent in (folder, folder / "testsets")
            if parent.is_dir()
            for found in parent.iterdir()
            if found.name.lower() == protocol.test_set and found.is_dir()
        )

    def psf(self, protocol: Protocol) -> Path | None:
        return _first(folder / "blur_kernels" / protocol.dataset["psf"] for folder in self.data)

    def missing(self, protocol: Protocol) -> str | None:
        """What a protocol cannot be run without here, and where it is to be had."""
        if self.checkpoint(protocol) is None:
            return f"{protocol.weights} is in none of {_listed(self.weights)}; it is to be had from {WEIGHTS}"
        if self.images(protocol) is None:
            name, source = SETS[protocol.test_set]
            return f"{name}: no folder {protocol.test_set} in {_listed(self.data)}; it is to be had from {source}"
        if protocol.psf is not None and self.psf(protocol) is None:
            return f"blur_kernels/{protocol.dataset['psf']} is in none of {_listed(self.data)}; needed: {BLUR_KERNELS}"
        return None


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


def _first(paths) -> Path | None:
    return next((path for path in paths if path.exists()), None)


def _listed(folders: tuple[Path, ...]) -> str:
    return ", ".join(map(str, folders))
