"""Blur kernels: read from files, or drawn."""

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from basicsr.data.degradations import bivariate_Gaussian

from ..errors import UserError

KINDS = ("gaussian", "motion")
SUFFIXES = (".npy", ".mat")


class PsfSource:
    """Where psfs come from.

    Args:
        psf: 'gaussian' (anisotropic), 'motion' (a camera's path), a file .npy or .mat, a folder of those, or a list
            of such: one is chosen each time.
        psf_size: side k, odd; smaller psfs of files are put in the middle of zeros.
        psf_sigma: least and largest standard deviation, in pixels, along the two axes of 'gaussian'.

    Raises:
        UserError: an argument or a file does not fit; names it.
    """

    def __init__(self, psf: str | list[str], psf_size: int, psf_sigma: list[float]):
        if not isinstance(psf_size, int) or psf_size < 1 or psf_size % 2 == 0:
            raise UserError(f"psf_size: must be odd and 1 or more, got {psf_size!r}")
        if not isinstance(psf_sigma, (list, tuple)) or len(psf_sigma) != 2 or not 0 < psf_sigma[0] <= psf_sigma[1]:
            raise UserError(f"psf_sigma: must be [least, largest], above 0, got {psf_sigma!r}")
        self.psf_size = psf_size
        self.psf_sigma = psf_sigma
        self.sources: list[str | np.ndarray] = []
        for entry in psf if isinstance(psf, list) else [psf]:
            self.sources += [entry] if entry in KINDS else read_psfs(entry, psf_size)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """One psf: (k, k), non-negative, sum 1."""
        return self._make(self.sources[rng.integers(len(self.sources))], rng)

    def take(self, index: int) -> np.ndarray:
        """The psf of the image of that index: sources in turn, drawn with the index as seed."""
        return self._make(self.sources[index % len(self.sources)], np.random.default_rng(index))

    def _make(self, source: str | np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if isinstance(source, np.ndarray):
            return source
        return motion_psf(rng, self.psf_size) if source == "motion" else self._gaussian(rng)

    def _gaussian(self, rng: np.random.Generator) -> np.ndarray:
        sigma_x, sigma_y = rng.uniform(*self.psf_sigma, 2)
        return bivariate_Gaussian(self.psf_size, sigma_x, sigma_y, rng.uniform(-np.pi, np.pi), isotropic=False)


def motion_psf(rng: np.random.Generator, size: int, steps: int = 64) -> np.ndarray:
    """The path of a camera that drifts and turns at random, exposed evenly in time: (size, size), sum 1."""
    turning = rng.normal(0, 0.15, steps).cumsum() + rng.uniform(0, 2 * np.pi)
    path = np.stack([np.sin(turning), np.cos(turning)]).cumsum(1)
    path -= path.mean(1, keepdims=True)
    path *= rng.uniform(0.3, 1) * (size // 2) / max(np.abs(path).max(), 1e-12)
    position = path + size // 2
    corner = np.floor(position).astype(int).clip(0, max(size - 2, 0))
    part = position - corner
    psf = np.zeros((size, size))
    for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):  # bilinear shares of the four pixels around
        share = np.abs(1 - down - part[0]) * np.abs(1 - across - part[1])
        np.add.at(psf, (np.minimum(corner[0] + down, size - 1), np.minimum(corner[1] + across, size - 1)), share)
    return psf / psf.sum()


def read_psfs(path: str, size: int) -> list[np.ndarray]:
    """Every psf of a file .npy or .mat, or of all such files of a folder, in the order of their names.

    Returns:
        (size, size) arrays, float64, sum 1.

    Raises:
        UserError: there is none, or one has not the size, sums to 0, or has taps that are negative or not finite;
            names the file.
    """
    place = Path(path).expanduser()
    files = sorted(file for file in place.glob("*") if file.suffix in SUFFIXES) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        raise UserError(f"psf: {path} is neither {', '.join(KINDS)} nor a file or folder with {' or '.join(SUFFIXES)}")
    return [check_psf(psf, size, file) for file in files for psf in _arrays(file)]


def check_psf(psf: np.ndarray, size: int, file: Path) -> np.ndarray:
    """The psf, float64, scaled to sum 1, in the middle of size x size zeros; UserError if it is none."""
    if psf.ndim != 2 or max(psf.shape) > size or not all(side % 2 for side in psf.shape):
        raise UserError(f"{file}: a psf must be {size}x{size}, or smaller with odd sides, got {psf.shape}")
    psf = psf.astype(np.float64)
    if not np.isfinite(psf).all():
        raise UserError(f"{file}: the psf has taps that are not finite numbers")
    if psf.min() < 0:
        raise UserError(f"{file}: the psf has negative taps (least: {psf.min():g})")
    if psf.sum() == 0:
        raise UserError(f"{file}: the psf sums to 0")
    margins = [((size - side) // 2,) * 2 for side in psf.shape]
    return np.pad(psf / psf.sum(), margins)


def _arrays(file: Path) -> list[np.ndarray]:
    try:
        if file.suffix == ".npy":
            return [np.load(file, allow_pickle=False)]
        content = loadmat(file)
    except Exception as error:  # numpy and scipy raise a dozen types over a damaged file
        raise UserError(f"{file}: not a readable {file.suffix} file: {str(error).splitlines()[0]}") from error
    arrays = [value for name, value in content.items() if not name.startswith("__")]
    psfs = [psf for array in arrays for psf in (array.flat if array.dtype == object else [array])]
    if not psfs:
        raise UserError(f"{file}: there is no psf in it")
    return psfs
