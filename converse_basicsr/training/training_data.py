"""The batches of a training: loaded by workers, shared between processes, without samples that cannot be read."""

import os
import signal
import threading
from collections.abc import Iterator

from torch.utils.data import DataLoader

from basicsr.data import build_dataset
from basicsr.data.prefetch_dataloader import CPUPrefetcher, CUDAPrefetcher

from ..errors import UserError
from .logs import log
from .processes import Processes
from .samples import SKIPPED, PositionSampler, SeededSamples
from .stop_signals import SIGNALS


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
        files = dict.fromkeys(name for part in found for names in part for name in names.splitlines())
        files = [name for name in files if name not in self.skipped]
        self.skipped.update(files)
        for name in files:
            log.warning(f"datasets:train: skipped, cannot be read: {name}")
        if len(self.skipped) > self.most_skipped:
            raise UserError(
                f"datasets:train: {len(self.skipped)} samples cannot be read, skip_unreadable allows "
                f"{self.most_skipped}; the last one: {files[-1]}"
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
