"""Random numbers as a function of the run's seed and a position: nothing depends on what ran before."""

import random

import numpy as np
import torch

_ORDER, _SAMPLE, _DEGRADATION, _ITERATION = range(4)  # purposes: their random numbers are independent


def order_seed(seed: int, epoch: int) -> int:
    """The seed of the order of the images in an epoch."""
    return _derive(seed, _ORDER, epoch)


def sample_seed(seed: int, position: int) -> int:
    """The seed of one training sample; its position counts all samples since the start of the training."""
    return _derive(seed, _SAMPLE, position)


def degradation_seed(seed: int, position: int) -> int:
    """The seed of one sample's degradation on the device."""
    return _derive(seed, _DEGRADATION, position)


def seed_iteration(seed: int, iteration: int, rank: int) -> None:
    """Seed all generators for what a model samples itself in one iteration, such as dropout."""
    seed_generators(_derive(seed, _ITERATION, iteration, rank))


def seed_generators(seed: int) -> None:
    """Seed Python's, numpy's and torch's default generators."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _derive(seed: int, *key: int) -> int:
    """A non-negative seed below 2**63 for this purpose and position (numpy's SeedSequence)."""
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0]) >> 1
