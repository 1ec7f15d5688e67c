"""The training data: batch i is a function of (manual_seed, i), also after a resume and for any number of workers.

A position counts the samples since the start of the training, over all processes. It decides which image is taken and
seeds the generators before the data set reads it, so crops, flips, noise and kernels are functions of it too.
"""

import os
import signal
import threading
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from basicsr.data import build_dataset
from basicsr.data.prefetch_dataloader import CPUPrefetcher, CUDAPrefetcher

from ..data.reading import files_of, reading
from ..errors import UserError
from .logs import log
from .processes import Processes
from .seeds import degradation_seed, order_seed, sample_seed, seed_generators
from .stop_signals import SIGNALS

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


class TrainingData:
    """The batches of a training.

    Args:
        opt: the finished options.
        processes: the processes that share each batch.

    Attributes:
        count: number of images.
        batch: number of samples that all processes together take in an iteration.
        epoch: number of samples in an epoch.
    """

    def __init__(self, opt: dict, processes: Processes):
        self.opt, self.processes = opt, processes
        self.section = opt["datasets"]["train"]
        self.dataset = build_dataset(self.section)
        self.count = len(self.dataset)
        self.epoch = max(1, round(self.count * self.section.get("dataset_enlarge_ratio", 1)))
        self.share = self.section["batch_size_per_gpu"] * (1 if processes.distributed else max(opt["num_gpu"], 1))
        self.batch = self.share * processes.world_size
        self.most_skipped = self.section.get("skip_unreadable", 0)
        self.skipped: set[str] = set()

    def batches(self, start: int, count: int) -> Iterator[dict]:
        """`count` batches from a position on.

        Raises:
            UserError: a file cannot be read, or more than skip_unreadable cannot be read.
        """
        prefetcher = self._prefetcher(self._loader(start, count)) if count else None
        for _ in range(count):
            batch = prefetcher.next()
            self._note_skipped(batch)
            yield batch

    def _loader(self, start: int, count: int) -> DataLoader:
        samples = SeededSamples(self.dataset, self.opt["manual_seed"], self.most_skipped > 0)
        sampler = PositionSampler(
            self.count,
            self.epoch,
            self.opt["manual_seed"],
            start,
            count,
            self.share,
            self.processes,
            self.section.get("use_shuffle", True),
        )
        workers = self.section["num_worker_per_gpu"] * (
            1 if self.processes.distributed else max(self.opt["num_gpu"], 1)
        )
        ahead = self.section.get("num_prefetch_queue", 1) if self.section.get("prefetch_mode") == "cpu" else 1
        return DataLoader(
            samples,
            self.share,
            sampler=sampler,
            num_workers=workers,
            pin_memory=self.section.get("pin_memory", False),
            worker_init_fn=_leave_signals_to_the_main_process,
            prefetch_factor=max(2, ahead) if workers else None,
        )

    def _prefetcher(self, loader: DataLoader) -> CPUPrefetcher | CUDAPrefetcher:
        on_cuda = self.section.get("prefetch_mode") == "cuda"
        return CUDAPrefetcher(loader, self.opt) if on_cuda else CPUPrefetcher(loader)

    def _note_skipped(self, batch: dict) -> None:
        if SKIPPED not in batch:
            return
        found = self.processes.gather(batch.pop(SKIPPED))
        files = {name for part in found for names in part for name in names.splitlines()} - self.skipped
        self.skipped |= files
        for name in sorted(files):
            log.warning(f"datasets:train: skipped, cannot be read: {name}")
        if len(self.skipped) > self.most_skipped:
            raise UserError(
                f"datasets:train: {len(self.skipped)} samples cannot be read, skip_unreadable allows "
                f"{self.most_skipped}; among the last: {max(files)}"
            )


def _leave_signals_to_the_main_process(worker_id: int) -> None:
    """Ignore signals but the main process's own SIGTERM: Ctrl-C and schedulers signal the whole process group."""
    main = os.getppid()
    for number in SIGNALS:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # tells the sender
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_wait_for_sigterm, args=(main,), daemon=True).start()


def _wait_for_sigterm(sender: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != sender:
        pass
    os._exit(0)
