"""The section datasets: what data sets and their loaders read."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from .kinds import BatchSize, Count, FilePath, Index, Must, Name, Positive, Switch, Text, Workers
from .section import Built, Section, wrong

_KEYS_OF_BACKENDS = {
    "disk": (),
    "lmdb": ("readonly", "lock", "readahead"),
    "memcached": ("server_list_cfg", "client_cfg", "sys_path"),
    "mmengine": ("backend_args", "timeout", "attempts"),
}


class IoBackend(Section):
    """How files are read."""

    type: Annotated[Literal["disk", "lmdb", "memcached", "mmengine"], Must("disk, lmdb, memcached or mmengine")] = (
        Field(description="Where the files are.")
    )
    readonly: Switch = Field(True, description="lmdb: open it for reading only.")
    lock: Switch = Field(False, description="lmdb: lock it.")
    readahead: Switch = Field(False, description="lmdb: let the system read ahead.")
    server_list_cfg: Text | None = Field(None, description="memcached: file with the list of servers.")
    client_cfg: Text | None = Field(None, description="memcached: file with the options of the client.")
    sys_path: Text | None = Field(None, description="memcached: folder of the Python client.")
    backend_args: dict[str, Any] | None = Field(None, description="mmengine: arguments of its backend.")
    timeout: Positive = Field(10, description="mmengine, HTTP: seconds without data after which an attempt ends.")
    attempts: Count = Field(3, description="mmengine, HTTP: how often a server is asked.")

    @model_validator(mode="after")
    def _has_the_keys_of_its_type(self) -> "IoBackend":
        known = _KEYS_OF_BACKENDS[self.type]
        for key in self.model_fields_set - {"type", *known}:
            raise wrong(f"type: {self.type} does not read it (it reads {', '.join(known) or 'nothing else'})", key)
        return self


class Images(Built):
    """What many data sets read; other keys belong to their classes."""

    type: Text = Field(description="Class of the data set, for example PairedImageDataset.")
    dataroot_gt: FilePath | None = Field(None, description="Ground truth: a folder, an LMDB or an address.")
    dataroot_lq: FilePath | None = Field(None, description="Input images: a folder, an LMDB or an address.")
    io_backend: IoBackend = Field(description="type: disk for folders, lmdb for LMDBs, mmengine for servers.")
    meta_info_file: FilePath | None = Field(None, description="Lists the files or keys to use, one per line.")
    filename_tmpl: Text | None = Field(None, description="Names of the inputs; {} is the name of the ground truth.")
    color: Text | None = Field(None, description="rgb or gray; for BasicSR's data sets y.")
    gt_size: Count = Field(None, description="Side of a training patch, in ground-truth pixels.")
    use_hflip: Switch = Field(False, description="Flip training patches at random.")
    use_rot: Switch = Field(False, description="Rotate training patches at random.")


class Loaded(Images):
    """What training and validation sets have in common."""

    name: Name = Field(description="Name in logs and results.")
    num_worker_per_gpu: Workers = Field(0, description="Processes that load the data, for each GPU; in training.")
    batch_size_per_gpu: BatchSize = Field(1, description="Images of one iteration, for each GPU; in training.")
    use_shuffle: Switch = Field(True, description="Shuffle the images (BasicSR 1.4.2 always does).")
    prefetch_mode: Annotated[Literal["cuda", "cpu"] | None, Must("cuda, cpu or ~")] = Field(
        None, description="cuda: copy the next batch to the GPU in advance. cpu: see num_prefetch_queue."
    )
    num_prefetch_queue: Count = Field(
        1, description="Batches loaded in advance by each worker, for prefetch_mode: cpu (at least 2)."
    )
    pin_memory: Switch = Field(False, description="Page-locked memory; needed for prefetch_mode: cuda.")

    @model_validator(mode="after")
    def _pins_for_cuda(self) -> "Loaded":
        if self.prefetch_mode == "cuda" and not self.pin_memory:
            raise wrong("cuda needs pin_memory: true", "prefetch_mode")
        return self


class DataSet(Loaded):
    """A data set for validation or testing."""

    persistent_workers: Annotated[Literal[False], Must("false: only training loads images with workers")] = Field(
        False, description="Without effect."
    )


class TrainSet(Loaded):
    """The training set."""

    num_worker_per_gpu: Workers = Field(description="Processes that load the data, for each GPU.")
    batch_size_per_gpu: BatchSize = Field(description="Images of one iteration, for each GPU.")
    persistent_workers: Switch = Field(False, description="Accepted; workers always stay until the training ends.")
    dataset_enlarge_ratio: Annotated[float, Field(gt=0, le=1e6), Must("a number above 0, at most 1000000")] = Field(
        1, description="An epoch has this many times the number of images."
    )
    skip_unreadable: Index = Field(
        0, description="Samples that may be skipped, of all processes together, because their files cannot be read."
    )

    @model_validator(mode="after")
    def _has_workers_to_keep(self) -> "TrainSet":
        if self.persistent_workers and not self.num_worker_per_gpu:
            raise wrong("true needs num_worker_per_gpu of 1 or more", "persistent_workers")
        return self


class DataSets(Section):
    """train, and any number of val, val_2, ...; for a test test, test_2, ..."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"propertyNames": {"pattern": r"^(train|(val|test)(_[A-Za-z0-9_.-]+)?)$"}}
    )
    __pydantic_extra__: dict[str, DataSet]

    train: TrainSet | None = Field(None, description="The training set.")
