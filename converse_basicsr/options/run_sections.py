"""The sections of a run beside its data and its training: networks, weights, validation, logger, processes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .kinds import Count, FilePath, Index, Must, Name, NamePart, Positive, Switch, Text
from .section import Built, Section, wrong


class Network(Built):
    """A network: its class and the arguments of its constructor."""


class Degradation(Built):
    """RestorationModel: what makes the input from ground truth, on the training device."""

    type: Annotated[
        Literal["GaussianNoise", "BicubicReduction", "Blur"], Must("GaussianNoise, BicubicReduction or Blur")
    ] = Field(description="GaussianNoise, BicubicReduction or Blur.")


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
    pbar: Switch = Field(True, description="Show progress on a terminal.")
    metrics: dict[Name, Metric] | None = Field(None, description="Any name, and the metric under it.")
    x8: Switch = Field(False, description="RestorationModel: average over the 8 flips and transposes.")
    tile: Count | None = Field(None, description="RestorationModel: side of a tile in input pixels; ~: whole images.")
    tile_overlap: Index | None = Field(None, description="RestorationModel: overlap of tiles in input pixels; ~: 16.")
    consistency: FilePath | None = Field(
        None,
        description="RestorationModel: make results reduce to their input; bicubic, or a kernel: a file or a formula.",
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
