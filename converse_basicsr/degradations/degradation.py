"""What every degradation can do."""

from abc import ABC, abstractmethod

import numpy as np
from torch import Tensor


class Degradation(ABC):
    """Makes the input of a network, and what it is conditioned on, from ground truth.

    Training draws from torch's own generator of the device that the ground truth is on. In a worker of a data loader
    that is seeded anew for every worker and epoch, from the generator of the run: draws differ from epoch to epoch and
    come again with the same manual_seed.
    """

    multiple: int = 1  # both sides of ground truth must be multiples of it

    @abstractmethod
    def draw(self, gt: Tensor) -> dict[str, Tensor]:
        """Degrade a batch for training.

        Args:
            gt: (N, C, H, W) in [0, 1], on any device.

        Returns:
            lq (N, C, H/s, W/s), and what else the network may be given (kernel), on the same device.
        """

    @abstractmethod
    def follow_protocol(self, gt: np.ndarray, index: int) -> dict[str, np.ndarray]:
        """Degrade one image as the paper's protocol does: always the same result for the same image.

        Args:
            gt: (H, W, C) in [0, 1], float32.
            index: of the image in its set.

        Returns:
            lq (H/s, W/s, C) float32, and what else the network may be given.
        """
