"""The sections of an option file, except train: their keys, kinds of values and meaning."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ..errors import did_you_mean, plain
from .kinds import (
    BatchSize,
    Count,
    FilePath,
    Index,
    Must,
    Name,
    NamePart,
    Positive,
    Probabilities,
    Probability,
    Range,
    Switch,
    Text,
    Workers,
)  # fmt: skip


def wrong(message: str, key: str = "") -> PydanticCustomError:
    """An error of a section, or of one of its keys, whose message says all."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "key": key})


class Section(BaseModel):
    """A section whose keys are all known."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping_of_known_keys(cls, section: Any) -> Any:
        if not isinstance(section, dict):
            raise PydanticCustomError("must", "must be a mapping (key: value)")
        if cls.model_config["extra"] == "forbid":
            for key in section:
                if key not in cls.model_fields:
                    raise wrong(f"no option {plain(key)!r}{did_you_mean(key, cls.model_fields)}")
        return section


class Built(Section):
    """A section that builds an object of a registered class; its other keys are the arguments."""

    model_config = ConfigDict(extra="allow")

    type: Text = Field(description="The registered name.")


class Network(Built):
    """A network: its class and the arguments of its constructor."""


class Degradation(Built):
    """RestorationModel: what makes the input from ground truth, on the training device."""

    type: Annotated[
        Literal["GaussianNoise", "BicubicReduction", "Blur"], Must("GaussianNoise, BicubicReduction or Blur")
    ] = Field(description="GaussianNoise, BicubicReduction or Blur.")


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


class Paths(Section):
    """Weights and training states to start from."""

    pretrain_network_g: FilePath | None = Field(None, description="Weights of network_g: a file or a published name.")
    pretrain_network_d: FilePath | None = Field(None, description="Weights of network_d.")
    strict_load_g: Switch = Field(True, description="Every key must fit.")
    strict_load_d: Switch = Field(True, description="Every key must fit.")
    param_key_g: Text | None = Field("params", description="Key in the file; ~: whichever there is.")
    param_key_d: Text | None = Field("params", description="Key in the file; ~: whichever there is.")
    resume_state: FilePath | None = Field(None, description="Training state (.state) to continue from.")
    ignore_resume_networks: (
        list[Annotated[Literal["network_g", "network_d"], Must("network_g or network_d")]] | None
    ) = Field(None, description="Networks that do not get their weights from the resumed run.")


class Metric(Built):
    """A metric: its function and arguments."""

    crop_border: Index = Field(None, description="Pixels left out at each side.")
    test_y_channel: Switch = Field(False, description="On the Y channel of YCbCr.")
    input_order: Annotated[Literal["HWC"], Must("HWC, the order of the images that are measured")] = Field(
        "HWC", description="Order of the axes."
    )
    better: Annotated[Literal["higher", "lower"], Must("higher or lower")] = Field(
        "higher", description="Which values are better."
    )


class Validation(Section):
    """Validation, or the images and metrics of a test."""

    val_freq: Count | None = Field(None, description="Iterations between validations.")
    save_img: Switch = Field(description="Save the restored images.")
    suffix: NamePart | None = Field(None, description="Appended to the names of saved images; ~: the name of the test.")
    pbar: Switch = Field(False, description="Show progress.")
    metrics: dict[Name, Metric] | None = Field(None, description="Any name, and the metric under it.")
    x8: Switch = Field(False, description="RestorationModel: average over the 8 flips and transposes.")
    tile: Count | None = Field(None, description="RestorationModel: side of a tile in input pixels; ~: whole images.")
    tile_overlap: Index | None = Field(None, description="RestorationModel: overlap of tiles in input pixels.")
    consistency: FilePath | None = Field(
        None, description="RestorationModel: make results reduce to their input; bicubic, or a blur kernel (a file)."
    )
    consistency_lam: Positive | None = Field(None, description="RestorationModel: weight of the result (0.01).")
    num_val_samples: Count = Field(16, description="StyleGAN2Model: number of images.")
    flip_seq: Switch = Field(False, description="VideoRecurrentModel: restore the sequence and its mirror image.")
    center_frame_only: Switch = Field(False, description="VideoRecurrentModel: measure the middle frame only.")

    @model_validator(mode="after")
    def _has_a_use_for_lam(self) -> "Validation":
        if self.consistency_lam is not None and self.consistency is None:
            raise wrong("has no effect without val:consistency", "consistency_lam")
        return self


class Wandb(Section):
    """Weights & Biases."""

    project: Text | None = Field(None, description="Name of the project; ~: off.")
    resume_id: Text | None = Field(None, description="Run to continue; ~: a new one.")


class Logger(Section):
    """Logging, states and checkpoints."""

    print_freq: Count = Field(description="Iterations between lines of the log.")
    save_checkpoint_freq: Count = Field(description="Iterations between checkpoints and training states.")
    use_tb_logger: Switch = Field(description="Write TensorBoard logs.")
    wandb: Wandb | None = Field(None, description="Weights & Biases; needs use_tb_logger.")
    keep_last: Count | None = Field(None, description="Keep this many states; ~: all.")
    keep_best: Text | None = Field(None, description="Keep the best checkpoint by this metric of val: metrics.")

    @model_validator(mode="after")
    def _wandb_reads_tensorboard(self) -> "Logger":
        if self.wandb and self.wandb.project and not self.use_tb_logger:
            raise wrong("needs use_tb_logger: true", "wandb")
        return self


class Distributed(Section):
    """Distributed training."""

    backend: Annotated[Literal["nccl", "gloo", "mpi"], Must("nccl, gloo or mpi")] = Field(
        "nccl", description="How processes exchange tensors; on a CPU it is gloo."
    )
    port: Annotated[int, Field(ge=1, le=65535), Must("an integer from 1 to 65535")] | None = Field(
        None, description="Port of rank 0, with slurm; ~: 29500."
    )


class HighOrderDegradation(Section):
    """Keys at the top level that RealESRNetModel and RealESRGANModel degrade by."""

    gt_usm: Switch | None = Field(None, description="Sharpen the ground truth.")
    resize_prob: Probabilities | None = Field(
        None, description="First pass: probabilities of enlarging, reducing, keeping."
    )
    resize_range: Range | None = Field(None, description="First pass: factors of the change of size.")
    gaussian_noise_prob: Probability | None = Field(
        None, description="First pass: probability of Gaussian noise; otherwise Poisson noise."
    )
    noise_range: Range | None = Field(
        None, description="First pass: standard deviations of Gaussian noise, on the 0-255 scale."
    )
    poisson_scale_range: Range | None = Field(None, description="First pass: scales of Poisson noise.")
    gray_noise_prob: Probability | None = Field(
        None, description="First pass: probability of equal noise in all channels."
    )
    jpeg_range: Range | None = Field(None, description="First pass: JPEG qualities.")
    second_blur_prob: Probability | None = Field(None, description="Probability of a second blur.")
    resize_prob2: Probabilities | None = Field(
        None, description="Second pass: probabilities of enlarging, reducing, keeping."
    )
    resize_range2: Range | None = Field(None, description="Second pass: factors of the change of size.")
    gaussian_noise_prob2: Probability | None = Field(
        None, description="Second pass: probability of Gaussian noise; otherwise Poisson noise."
    )
    noise_range2: Range | None = Field(
        None, description="Second pass: standard deviations of Gaussian noise, on the 0-255 scale."
    )
    poisson_scale_range2: Range | None = Field(None, description="Second pass: scales of Poisson noise.")
    gray_noise_prob2: Probability | None = Field(
        None, description="Second pass: probability of equal noise in all channels."
    )
    jpeg_range2: Range | None = Field(None, description="Second pass: JPEG qualities.")
    gt_size: Count | None = Field(None, description="Side of a training patch, in ground-truth pixels.")


class RealESRGAN(HighOrderDegradation):
    """All keys at the top level that RealESRNetModel and RealESRGANModel read."""

    high_order_degradation: Switch | None = Field(None, description="Degrade twice, as below; ~: true.")
    queue_size: Count | None = Field(None, description="Size of the pool of training pairs; a multiple of the batch.")
    l1_gt_usm: Switch | None = Field(None, description="RealESRGANModel: sharpened ground truth for the pixel loss.")
    percep_gt_usm: Switch | None = Field(
        None, description="RealESRGANModel: sharpened ground truth for the perceptual loss."
    )
    gan_gt_usm: Switch | None = Field(
        None, description="RealESRGANModel: sharpened ground truth for the discriminator."
    )
