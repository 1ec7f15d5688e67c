"""Blur kernels in files."""

from pathlib import Path

import numpy as np

from ..errors import UserError, plain

SUFFIXES = (".npy", ".mat")
LARGEST = 255  # taps a side of one that is read alone


def kernels_in(file: Path) -> list[np.ndarray]:
    """Every array in a .npy or .mat file.

    Raises:
        UserError: the file is damaged or holds none.
    """
    try:
        if file.suffix.lower() == ".npy":
            return [np.load(file, allow_pickle=False)]
        from scipy.io import loadmat

        content = loadmat(file)
    except ImportError as error:
        raise UserError(f"{plain(file)}: reading .mat files needs scipy: pip install scipy") from error
    except Exception as error:  # numpy and scipy raise many exception types for a damaged file
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{plain(file)}: not a readable {file.suffix} file: {reason}") from error
    arrays = [value for name, value in content.items() if not name.startswith("__")]
    kernels = [kernel for array in arrays for kernel in (array.flat if array.dtype == object else [array])]
    if not kernels:
        raise UserError(f"{plain(file)}: contains no blur kernel")
    return kernels


def read_kernel(file: Path, signed: bool = False) -> np.ndarray:
    """The only blur kernel in a .npy or .mat file, or the brightness of a picture (.png).

    Args:
        file: its path.
        signed: whether taps may be negative.

    Returns:
        (kh, kw), float64, sum 1.

    Raises:
        UserError: the file is missing or damaged, holds several kernels, or no valid one; names the file.
    """
    if not file.is_file():
        raise UserError(f"no such blur kernel: {plain(file)}")
    if file.suffix.lower() == ".png":
        from ..images.decoding import decode_pixels

        kernels = [decode_pixels(file.read_bytes(), plain(file), "gray")]
    else:
        kernels = kernels_in(file)
    if len(kernels) > 1:
        raise UserError(f"{plain(file)}: holds {len(kernels)} blur kernels; save one of them as .npy (numpy.save)")
    return check_taps(kernels[0], plain(file), signed)


def check_taps(kernel: np.ndarray, name: str, signed: bool = False) -> np.ndarray:
    """The kernel (kh, kw) as float64 with sum 1; of more axes than two, those of length 1 are removed.

    Raises:
        UserError: it is no matrix of at most LARGEST taps a side; or taps are negative, unless `signed`, or not finite;
            or they sum to 0.
    """
    kernel = np.squeeze(kernel) if kernel.ndim > 2 else kernel
    if kernel.ndim != 2 or not all(1 <= side <= LARGEST for side in kernel.shape):
        raise UserError(
            f"{name}: a blur kernel must be a matrix of up to {LARGEST}x{LARGEST} taps, got shape {kernel.shape}"
        )
    if kernel.dtype.kind not in "buif":
        raise UserError(f"{name}: the taps of a blur kernel must be real numbers, got {kernel.dtype}")
    return normalised(kernel, name, signed)


def normalised(kernel: np.ndarray, name: str, signed: bool = False) -> np.ndarray:
    """The kernel as float64 with sum 1; UserError if its taps are negative (unless signed), not finite or sum to 0."""
    kernel = kernel.astype(np.float64)
    if not np.isfinite(kernel).all():
        raise UserError(f"{name}: the blur kernel has taps that are not finite")
    if kernel.min() < 0 and not signed:
        raise UserError(f"{name}: the blur kernel has negative taps (minimum {kernel.min():g})")
    if abs(kernel.sum()) <= 1e-6 * np.abs(kernel).sum():
        raise UserError(f"{name}: the blur kernel sums to 0")
    return kernel / kernel.sum()
