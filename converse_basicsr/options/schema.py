"""The schema of an option file for ``basicsr train`` and ``basicsr test``.

``python -m converse_basicsr.options.schema > options/option_file.schema.json`` writes it for editors.
"""

import json
from collections.abc import Iterator

from pydantic import Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from ..errors import UserError, did_you_mean, plain
from .data_sets import DataSets
from .kinds import Count, Gpus, Name, Seed, Switch, Text
from .real_esrgan import RealESRGAN
from .run_sections import Degradation, Distributed, Logger, Network, Paths, Validation
from .section import Section
from .training import Train
from .validating import validated


class OptionFile(RealESRGAN):
    """An option file of BasicSR, with the additions of converse_basicsr."""

    name: Name = Field(description="Name of the run, and of its folder.")
    model_type: Text = Field(description="Kind of training, for example SRModel or RestorationModel.")
    scale: Count | None = Field(None, description="Upscaling factor.")
    num_gpu: Gpus = Field(description="Number of GPUs; auto: all, or the CPU if there are none.")
    manual_seed: Seed | None = Field(None, description="Seed of all random numbers.")
    find_unused_parameters: Switch = Field(False, description="For distributed training of networks with unused parts.")
    datasets: DataSets = Field(description="Data sets and their loading.")
    degradation: Degradation | None = None
    network_g: Network = Field(description="The network that restores images.")
    network_d: Network | None = Field(None, description="The discriminator of a GAN.")
    path: Paths
    train: Train | None = None
    val: Validation | None = None
    logger: Logger | None = None
    dist_params: Distributed | None = None


class TrainFile(OptionFile):
    """An option file for training."""

    train: Train
    logger: Logger


class TestFile(OptionFile):
    """An option file for a test."""

    val: Validation


def check_schema(opt: dict, is_train: bool) -> None:
    """Check the keys and values of an option file, and how they fit together. Nothing is built or read.

    Args:
        opt: options, as read from the file.
        is_train: True for training, False for a test.

    Raises:
        UserError: the first mistake found; names the place, the value and what is allowed.
    """
    file = validated(TrainFile if is_train else TestFile, opt)
    for mistake in _mistakes(file, is_train):
        raise UserError(mistake)


def dist_params(opt: dict) -> Distributed:
    """The section dist_params, or the defaults if it is wrong: needed before one process can say what is wrong."""
    try:
        return Distributed.model_validate(opt.get("dist_params") or {})
    except ValidationError:
        return Distributed()


def json_schema(file: type[Section] = OptionFile) -> str:
    """The schema of a kind of file, for editors."""
    schema = file.model_json_schema(schema_generator=_WithoutTitles)
    schema["patternProperties"] = {"^x-": {}}  # anchors
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _mistakes(file: OptionFile, is_train: bool) -> Iterator[str]:
    """A message for every key that does not fit another section."""
    others = file.datasets.model_extra
    for key in others:
        phase = key.split("_")[0]
        if is_train and phase != "val":
            yield f"datasets:{plain(key)}: must be train, or start with val{did_you_mean(key, ('train', 'val'))}"
        if not is_train and phase not in ("test", "val"):
            yield f"datasets:{plain(key)}: must start with test or val"
    if is_train and file.datasets.train is None:
        yield "datasets: training needs a section train"
    if not is_train and file.datasets.train is not None:
        yield "datasets:train: must start with test or val"
    if not is_train and not others:
        yield "datasets: a test needs a section test"
    names = [section.name for section in others.values()]
    for name in names:
        if names.count(name) > 1:
            yield f"datasets: {names.count(name)} sections have the name {name}; their results need different names"
    yield from _mistakes_of_paths(file)
    metrics = (file.val.metrics if file.val else None) or {}
    if is_train and file.val and file.val.val_freq is None:
        yield "val:val_freq is missing"
    if not is_train and file.val.save_img and "suffix" not in file.val.model_fields_set:
        yield "val:suffix is missing (appended to the names of saved images; ~: the name of the test)"
    if is_train and file.datasets.train and file.train.accum_iter > file.datasets.train.batch_size_per_gpu:
        batch = file.datasets.train.batch_size_per_gpu
        yield f"train:accum_iter: must be at most batch_size_per_gpu ({batch}), got {file.train.accum_iter}"
    best = file.logger.keep_best if file.logger else None
    if best is not None and file.val is not None and best not in metrics:  # val: ~ is no validation, and so no best
        yield f"logger:keep_best: must name a metric of val: metrics ({', '.join(metrics) or 'none'}), got {best!r}"


def _mistakes_of_paths(file: OptionFile) -> Iterator[str]:
    if file.network_d is not None:
        return
    for key in ("pretrain_network_d", "param_key_d", "strict_load_d"):
        if key in file.path.model_fields_set and getattr(file.path, key) is not None:
            yield f"path:{key}: the option file has no network_d"
    if "network_d" in (file.path.ignore_resume_networks or ()):
        yield "path:ignore_resume_networks: the option file has no network_d"


class _WithoutTitles(GenerateJsonSchema):
    """Titles would only repeat the keys."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


if __name__ == "__main__":
    print(json_schema(), end="")
