"""The schema of a benchmark's option file.

``python -m converse_basicsr.benchmark.schema > options/benchmark/benchmark_file.schema.json`` writes it for editors.
"""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ..options.kinds import FOLDER_NAME, Count, Must, Positive, Seed, Switch, Text
from ..options.schema import json_schema
from ..options.sections import Built, DataSets, Degradation, Distributed, Logger, Paths, Section, Validation, wrong
from ..options.training import Train


def _without_debug(name: str) -> str:
    if "debug" in name.lower():
        raise ValueError
    return name


Name = Annotated[
    str,
    Field(pattern=FOLDER_NAME),
    AfterValidator(_without_debug),
    Must("letters, digits, _, - and ., without 'debug' (BasicSR acts on it)"),
]


class Budget(Section):
    """How long each model is trained: iterations or minutes."""

    iterations: Count | None = Field(None, description="Of each run.")
    minutes: Positive | None = Field(None, description="Of each run.")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Budget":
        if (self.iterations is None) == (self.minutes is None):
            raise wrong("must be {iterations: N} or {minutes: M}")
        return self


class Model(Built):
    """A network: its class and the arguments of its constructor."""

    model_type: Text = Field("RestorationModel", description="Kind of training.")


class Recipe(Section):
    """What all models share: the other sections of an ordinary option file."""

    scale: Count | None = Field(None, description="Upscaling factor.")
    datasets: DataSets
    degradation: Degradation | None = None
    path: Paths | None = None
    train: Train
    val: Validation
    logger: Logger
    find_unused_parameters: Switch = Field(False, description="For distributed training of networks with unused parts.")
    dist_params: Distributed | None = None

    @model_validator(mode="after")
    def _can_be_measured(self) -> "Recipe":
        names = [section.name for section in self.datasets.model_extra.values()]
        if self.datasets.train is None:
            raise wrong("training needs a section train", "datasets")
        if not names or len(set(names)) < len(names):
            raise wrong(f"must hold val sets with different names, got {names}", "datasets")
        if not self.val.metrics:
            raise wrong("must hold at least one metric", "val:metrics")
        if self.val.val_freq is None:
            raise wrong("is needed", "val:val_freq")
        return self


class BenchmarkFile(Section):
    """An option file of ``basicsr benchmark``."""

    name: Name = Field(description="Name of the benchmark, and of its folder.")
    task: Text | None = Field(None, description="Text for the report.")
    seeds: Annotated[list[Seed], Field(min_length=1), Must("a list of integers from 0 to 4294967295")] = Field(
        description="Every model is trained once with each."
    )
    budget: Budget | None = Field(None, description="Default: total_iter of the recipe.")
    models: Annotated[dict[str, Model], Field(min_length=1)] = Field(description="Names and networks.")
    recipe: Recipe

    @model_validator(mode="after")
    def _has_different_seeds(self) -> "BenchmarkFile":
        if len(set(self.seeds)) < len(self.seeds):
            raise wrong(f"must all be different, got {self.seeds}", "seeds")
        return self


class WrittenFile(BenchmarkFile):
    """A benchmark file as it is written: the recipe may be the name of another one."""

    recipe: Recipe | Text = Field(description="The shared sections, or a file beside this one whose recipe is used.")


if __name__ == "__main__":
    print(json_schema(WrittenFile), end="")
