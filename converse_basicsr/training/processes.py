"""The processes of a run: one, or several started by torchrun or slurm."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from ..errors import UserError
from .watch import Watch

LONGEST_WAIT = timedelta(hours=2)  # of a rank for the others, which a Watch observes meanwhile
NEEDED = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NODELIST"),
}
START = {
    "pytorch": "torchrun --nproc_per_node=N -m converse_basicsr train -opt FILE --launcher pytorch",
    "slurm": "srun python -m converse_basicsr train -opt FILE --launcher slurm",
}


@dataclass(frozen=True)
class Processes:
    """This process among those of the run; with one process every method returns at once.

    Args:
        rank: number of this process; rank 0 writes files and prints.
        world_size: number of processes.
        distributed: whether a launcher started them, also for a world_size of 1.
    """

    rank: int = 0
    world_size: int = 1
    distributed: bool = False
    _control: Any = field(default=None, repr=False)  # a gloo group: objects and flags, also where gradients use nccl

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def largest(self, values: list[int]) -> list[int]:
        """The largest of each value over all processes."""
        if self.world_size == 1:
            return values
        tensor = torch.tensor(values)
        dist.all_reduce(tensor, dist.ReduceOp.MAX, self._control)
        return tensor.tolist()

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in the order of their ranks."""
        if self.world_size == 1:
            return [value]
        values = [None] * self.world_size
        dist.all_gather_object(values, value, self._control)
        return values

    def share(self, value: Any) -> Any:
        """The value of rank 0."""
        if self.world_size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0, self._control)
        return values[0]


@contextmanager
def started(launcher: str, backend: str = "nccl", port: int | None = None) -> Iterator[Processes]:
    """The processes of a run, connected for as long as the context lasts.

    After an error in one of them the first to fail raises it; the others end silently, within a minute.

    Args:
        launcher: none, pytorch (torchrun) or slurm.
        backend: for gradients on GPUs; gloo is used on CPUs.
        port: of rank 0, for slurm.

    Raises:
        UserError: the launcher's environment is missing.
        SystemExit: another process failed and has said so.
    """
    if launcher == "none":
        if "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", 1)) > 1:
            raise UserError(f"started by torchrun without --launcher pytorch; the call is: {START['pytorch']}")
        yield Processes()
        return
    _check_environment(launcher)
    if launcher == "slurm":
        _translate_slurm(port)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    store, rank, world_size = next(dist.rendezvous("env://"))
    watch = Watch(store.clone(), rank, world_size)
    try:
        backend = backend if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=LONGEST_WAIT)
        watch.start()
        yield Processes(rank, world_size, True, dist.new_group(backend="gloo", timeout=LONGEST_WAIT))
    except BaseException as error:
        if watch.failed():
            raise
        raise SystemExit(1) from error  # another process has said why
    else:
        watch.finished()
        dist.destroy_process_group()


def _check_environment(launcher: str) -> None:
    missing = [name for name in NEEDED[launcher] if name not in os.environ]
    if missing:
        raise UserError(f"--launcher {launcher}: the environment has no {missing[0]}; start with: {START[launcher]}")


def _translate_slurm(port: int | None) -> None:
    """Set torch's environment variables from slurm's."""
    names = {"RANK": "SLURM_PROCID", "WORLD_SIZE": "SLURM_NTASKS", "LOCAL_RANK": "SLURM_LOCALID"}
    os.environ.update({name: os.environ[source] for name, source in names.items()})
    os.environ.setdefault("MASTER_PORT", str(port or 29500))
    if "MASTER_ADDR" not in os.environ:
        command = ["scontrol", "show", "hostnames", os.environ["SLURM_NODELIST"]]
        try:
            hosts = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        except (OSError, subprocess.CalledProcessError) as error:
            raise UserError(f"--launcher slurm: scontrol does not name the hosts ({error}); set MASTER_ADDR") from error
        os.environ["MASTER_ADDR"] = hosts[0]
