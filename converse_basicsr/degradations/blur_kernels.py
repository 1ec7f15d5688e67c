"""Blur kernels: read from files or generated at random."""

from pathlib import Path

import numpy as np

from basicsr.data.degradations import bivariate_Gaussian

from ..blur_kernels.reading import SUFFIXES, kernels_in, normalised
from ..blur_kernels.shapes import from_path
from ..errors import UserError

KINDS = ("gaussian", "motion")


class KernelSource:
    """A source of blur kernels (k, k), non-negative, with sum 1.

    Args:
        psf: 'gaussian' (anisotropic), 'motion' (a random camera path), a .npy or .mat file, a folder of such files,
            or a list of these, one of which is chosen each time.
        psf_size: side k, odd; smaller kernels from files are centred in zeros.
        psf_sigma: least and largest standard deviation of 'gaussian' along its two axes, in pixels.

    Raises:
        UserError: an argument or a file is invalid; names it.
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
            self.sources += [entry] if entry in KINDS else read_kernels(entry, psf_size)

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """A random kernel for training."""
        return self._make(self.sources[rng.integers(len(self.sources))], rng)

    def for_image(self, index: int) -> np.ndarray:
        """The kernel for the image at this index: sources in turn, random ones seeded with the index."""
        return self._make(self.sources[index % len(self.sources)], np.random.default_rng(index))

    def _make(self, source: str | np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if isinstance(source, np.ndarray):
            return source
        return motion_kernel(rng, self.psf_size) if source == "motion" else self._gaussian(rng)

    def _gaussian(self, rng: np.random.Generator) -> np.ndarray:
        sigma_x, sigma_y = rng.uniform(*self.psf_sigma, 2)
        return bivariate_Gaussian(self.psf_size, sigma_x, sigma_y, rng.uniform(-np.pi, np.pi), isotropic=False)


def motion_kernel(rng: np.random.Generator, size: int, steps: int = 64) -> np.ndarray:
    """Motion blur of a camera that drifts and turns at random during the exposure: (size, size), sum 1."""
    turning = rng.normal(0, 0.15, steps).cumsum() + rng.uniform(0, 2 * np.pi)
    path = np.stack([np.sin(turning), np.cos(turning)]).cumsum(1)
    path -= path.mean(1, keepdims=True)
    path *= rng.uniform(0.3, 1) * (size // 2) / max(np.abs(path).max(), 1e-12)
    return from_path(path + size // 2, size)


def read_kernels(path: str, size: int) -> list[np.ndarray]:
    """Every blur kernel in a .npy or .mat file, or in all such files of a folder, sorted by name.

    Returns:
        (size, size) arrays, float64, sum 1.

    Raises:
        UserError: there is none, or one has a wrong size, sums to 0, or has negative or non-finite taps; names the
            file.
    """
    place = Path(path).expanduser()
    files = sorted(file for file in place.glob("*") if file.suffix in SUFFIXES) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        raise UserError(f"psf: {path} is neither {', '.join(KINDS)} nor a file or folder with {' or '.join(SUFFIXES)}")
    return [check_kernel(kernel, size, file) for file in files for kernel in kernels_in(file)]


def check_kernel(kernel: np.ndarray, size: int, file: Path) -> np.ndarray:
    """The kernel as float64 with sum 1, centred in size x size zeros; UserError if it is not a valid kernel."""
    if kernel.ndim != 2 or max(kernel.shape) > size or not all(side % 2 for side in kernel.shape):
        raise UserError(f"{file}: a blur kernel must be {size}x{size}, or smaller with odd sides, got {kernel.shape}")
    kernel = normalised(kernel, str(file))
    margins = [((size - side) // 2,) * 2 for side in kernel.shape]
    return np.pad(kernel, margins)
