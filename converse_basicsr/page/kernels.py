"""Blur kernels: by formula, or uploaded."""

import io
import secrets
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import UserError, plain

_FORMULAS = ("gaussian:", "motion:")
_SUFFIXES = (".npy", ".mat", ".png")
_MOST = 100  # uploaded kernels


class Kernels:
    """The blur kernels that can be chosen.

    Args:
        folder: for temporary files.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._uploaded: dict[str, np.ndarray] = {}

    def add(self, name: str, content: bytes) -> str:
        """Take an uploaded file (.npy, .mat, .png); return its id.

        Raises:
            UserError: it holds no valid blur kernel.
        """
        from ..blur_kernels.reading import read_kernel

        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in _SUFFIXES:
            raise UserError(f"{plain(name)}: a blur kernel must be a file {', '.join(_SUFFIXES)}")
        id = secrets.token_hex(8)
        file = self._folder / f"{id}{suffix}"
        try:
            file.write_bytes(content)
            kernel = read_kernel(file)
        except UserError as error:
            raise UserError(str(error).replace(plain(file), plain(name))) from error
        finally:
            file.unlink(missing_ok=True)
        while len(self._uploaded) >= _MOST:
            del self._uploaded[next(iter(self._uploaded))]
        self._uploaded[id] = kernel
        return id

    def choose(self, kernel: str) -> np.ndarray:
        """The blur kernel (kh, kw) of an id or a formula. It never reads a file.

        Raises:
            UserError: it is neither, or its numbers are out of range.
        """
        from ..blur_kernels.choosing import choose_kernel

        if kernel.startswith(_FORMULAS):
            return choose_kernel(kernel)
        if kernel not in self._uploaded:
            raise UserError(
                f"kernel: must be gaussian:SIGMA[,SIGMA2,ANGLE], motion:LENGTH,ANGLE or an uploaded one, "
                f"got {plain(kernel)}"
            )
        return self._uploaded[kernel]

    def png(self, kernel: str) -> bytes:
        """A picture of it, one pixel for each tap, the largest tap white."""
        from PIL import Image

        taps = self.choose(kernel)
        buffer = io.BytesIO()
        Image.fromarray((taps / taps.max() * 255).round().astype(np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()
