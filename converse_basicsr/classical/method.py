"""The frame of methods that other packages compute with numpy."""

import importlib
from collections.abc import Callable
from types import ModuleType

import numpy as np
from torch import Tensor, nn

from ..errors import UserError


class NumpyMethod(nn.Module):
    """A method that restores one channel at a time, as a numpy array on the CPU.

    Raises:
        UserError: the package that computes it is not installed.
    """

    package = "skimage"  # the module to import
    project = "scikit-image"  # its name for pip

    def __init__(self):
        super().__init__()
        self.imported()

    @classmethod
    def imported(cls) -> ModuleType:
        """The package; UserError if it is missing."""
        try:
            return importlib.import_module(cls.package)
        except ImportError as error:
            raise UserError(f"{cls.__name__} needs pip install {cls.project} ({error})") from error


def by_channel(method: Callable[[np.ndarray], np.ndarray], image: Tensor) -> Tensor:
    """Apply a method from (H, W) to (H, W), float64, to every channel of (C, H, W)."""
    channels = [method(channel) for channel in image.detach().cpu().double().numpy()]
    return image.new_tensor(np.stack(channels))
