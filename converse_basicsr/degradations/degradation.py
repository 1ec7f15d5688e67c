"""The interface of all degradations."""

from abc import ABC, abstractmethod

import numpy as np
from torch import Tensor


class Degradation(ABC):
    """Makes the input of a network, and its blur kernel if there is one, from ground truth.

    What is random is a function of a seed for each sample, so it does not depend on the batch that holds the sample.
    """

    multiple: int = 1  # both sides of the ground truth must be multiples of this

    @abstractmethod
    def degrade_batch(self, gt: Tensor, seeds: list[int]) -> dict[str, Tensor]:
        """Degrade a batch at random, for training.

        Args:
            gt: (N, C, H, W) in [0, 1], on any device.
            seeds: one for each sample, below 2**63.

        Returns:
            lq (N, C, H/s, W/s) and, for a blur, kernel (N, 1, k, k), on the same device.
        """

    @abstractmethod
    def degrade_image(self, gt: np.ndarray, index: int) -> dict[str, np.ndarray]:
        """Degrade one image as the paper's protocol does: the same image and index give the same result.

        Args:
            gt: (H, W, C) in [0, 1], float32.
            index: the image's position in its set.

        Returns:
            lq (H/s, W/s, C) and, for a blur, kernel (k, k, 1), both float32.
        """
