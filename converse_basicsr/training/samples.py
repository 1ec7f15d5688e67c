"""The samples of a training: batch i is a function of (manual_seed, i), also after a resume and with any workers.

A position counts the samples since the start of the training, over all processes. It decides which image is taken and
seeds the generators before the data set reads it, so crops, flips, noise and kernels are functions of it too.
"""

from collections.abc import Iterator

import torch
from torch.utils.data import Dataset, Sampler

from ..data.reading import files_of, reading
from ..errors import UserError
from .processes import Processes
from .seeds import degradation_seed, order_seed, sample_seed, seed_generators

SEED = "sample_seed"  # key of a batch: the seeds of its samples, for degradations on the device
SKIPPED = "skipped"  # key of a batch: the files that could not be read, one a line; only with skip_unreadable


class SeededSamples(Dataset):
    """A data set whose generators are seeded for each sample.

    Args:
        dataset: a training set of BasicSR or of this plugin.
        seed: the run's manual_seed.
        skip: replace a sample that cannot be read by that of the next image, and name its files under SKIPPED.

    Raises:
        UserError: a sample cannot be read; names its files.
    """

    def __init__(self, dataset: Dataset, seed: int, skip: bool):
        self.dataset = dataset
        self.seed = seed
        self.skip = skip

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: tuple[int, int]) -> dict:
        index, position = place
        seed = sample_seed(self.seed, position)
        skipped = []
        while True:
            seed_generators(seed)
            try:
                with reading("datasets:train", self.dataset, index):
                    sample = {**self.dataset[index], SEED: degradation_seed(self.seed, position)}
                break
            except UserError:
                if not self.skip or len(skipped) == len(self):
                    raise
                skipped.append(files_of(self.dataset, index))
                index = (index + 1) % len(self)
        return {**sample, SKIPPED: "\n".join(skipped)} if self.skip else sample


class PositionSampler(Sampler):
    """Yields (index, position) for the samples of one process, in batches one after the other.

    Args:
        count: number of images.
        epoch: number of samples in an epoch: a shuffled order of the images, repeated as often as needed.
        seed: the run's manual_seed.
        start: position of the first sample of all processes together.
        batches: number of batches.
        batch: number of samples in a batch of one process.
        shuffle: False keeps the images in their order.
    """

    def __init__(
        self,
        count: int,
        epoch: int,
        seed: int,
        start: int,
        batches: int,
        batch: int,
        processes: Processes,
        shuffle: bool = True,
    ):
        self.count, self.epoch, self.seed, self.start = count, epoch, seed, start
        self.batches, self.batch, self.processes, self.shuffle = batches, batch, processes, shuffle

    def __len__(self) -> int:
        return self.batches * self.batch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order, current = None, -1
        for batch in range(self.batches):
            first = self.start + (batch * self.processes.world_size + self.processes.rank) * self.batch
            for position in range(first, first + self.batch):
                epoch, place = divmod(position, self.epoch)
                if epoch != current:
                    order, current = self._order(epoch), epoch
                yield int(order[place]) % self.count, position

    def _order(self, epoch: int) -> torch.Tensor:
        if not self.shuffle:
            return torch.arange(self.epoch)
        return torch.randperm(self.epoch, generator=torch.Generator().manual_seed(order_seed(self.seed, epoch)))
