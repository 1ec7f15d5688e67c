"""The processes of a run: one, or several started by torchrun or slurm."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from ..errors import UserError, in_one_line
from .launchers import check_address, check_environment, refuse_torchrun, translate_slurm
from .watch import INTERVAL, LOOKS, Watch, is_lost_connection

START_LIMIT = timedelta(minutes=10)  # for all processes to start
LONGEST_WAIT = timedelta(hours=2)  # of a rank for the others, which a Watch observes meanwhile


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
    _watch: Watch | None = field(default=None, repr=False)

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

    @torch.no_grad()
    def share_buffers(self, network: torch.nn.Module) -> None:
        """Give the network the buffers of rank 0, such as batch statistics."""
        if self.world_size > 1:
            values = self.share([buffer.cpu() for buffer in network.buffers()])
            for buffer, value in zip(network.buffers(), values, strict=True):
                buffer.copy_(value)

    def explain(self, error: BaseException) -> None:
        """End this process silently if the error only means that another process failed or died."""
        if self._watch:
            self._watch.explain(error)


@contextmanager
def started(
    launcher: str, backend: str = "nccl", port: int | None = None, interval: float = INTERVAL, looks: int = LOOKS
) -> Iterator[Processes]:
    """The processes of a run, connected for as long as the context lasts.

    After an error in one of them the first to fail raises it; the others end silently, within a minute.

    Args:
        launcher: none, pytorch (torchrun) or slurm.
        backend: for gradients on GPUs; gloo is used on CPUs.
        port: of rank 0, for slurm.
        interval: seconds between two signs of life, see Watch.
        looks: see Watch.

    Raises:
        UserError: the launcher's environment is missing, or the processes cannot be connected.
        SystemExit: another process failed and has said so.
    """
    if launcher == "none":
        refuse_torchrun()
        yield Processes()
        return
    check_environment(launcher)
    if launcher == "slurm":
        translate_slurm(port)
    check_address()
    agent_has_store = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    with _connecting():
        store, rank, world_size = next(dist.rendezvous("env://", timeout=START_LIMIT))
        speaks = rank == (0 if agent_has_store else 1) or (rank > 1 and os.environ["LOCAL_RANK"] == "0")
        watch = Watch(store.clone(), rank, world_size, speaks, interval, looks)
        watch.start(START_LIMIT)
    try:
        processes = _connect(store, rank, world_size, backend, watch)
        yield processes
        processes.gather(None)  # until all are here: rank 0 may still print its report
        watch.stop()
        processes.gather(None)  # until all have stopped to watch: none takes the end of another for its death
        dist.destroy_process_group()
    except BaseException as error:
        watch.explain(error)
        if not watch.failed(_report(rank, error)):
            raise SystemExit(1) from error  # another process has said why
        if is_lost_connection(error):
            reason = str(error).splitlines()[0]
            raise UserError(f"rank {rank} has lost the connection to another process: {reason}") from error
        if isinstance(error, UserError) and watch.hosts[rank] != watch.hosts[0]:  # its files may differ
            raise UserError(f"on {watch.hosts[rank]}: {in_one_line(error)}") from error
        raise


@contextmanager
def _connecting() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        rank, address, port = (os.environ[name] for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"))
        reason = str(error).splitlines()[0]
        raise UserError(f"rank {rank} cannot connect to the other processes at {address}:{port}: {reason}") from error


def _connect(store: dist.Store, rank: int, world_size: int, backend: str, watch: Watch) -> Processes:
    gpus = torch.cuda.device_count()
    if gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % gpus)
    dist.init_process_group(
        backend if gpus else "gloo", store=store, rank=rank, world_size=world_size, timeout=LONGEST_WAIT
    )
    control = dist.new_group(backend="gloo", timeout=LONGEST_WAIT)
    processes = Processes(rank, world_size, True, control, watch)
    if gpus:
        uuids = processes.gather(str(torch.cuda.get_device_properties().uuid))
        check_gpus(list(zip(watch.hosts, uuids, strict=True)))
    return processes


def check_gpus(gpus: list[tuple[str, str]]) -> None:
    """Refuse two processes on one GPU.

    Args:
        gpus: for every rank its host and the identifier of its GPU.

    Raises:
        UserError: two ranks use the same GPU.
    """
    for rank, gpu in enumerate(gpus):
        first = gpus.index(gpu)
        if first != rank:
            raise UserError(
                f"ranks {first} and {rank} use the same GPU of {gpu[0]}: start one process per GPU "
                "(torchrun: --nproc_per_node, slurm: --ntasks-per-node)"
            )


def _report(rank: int, error: BaseException) -> str:
    return f"rank {rank} failed:\n{''.join(traceback.format_exception(error))}"
