"""The schema of a benchmark's option file.

``python -m converse_basicsr.benchmark.schema > options/benchmark/benchmark_file.schema.json`` writes it for editors.
"""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ..classical import METHODS
from ..options.data_sets import DataSets
from ..options.kinds import FOLDER_NAME, Count, FilePath, Must, Positive, Seed, Switch, Text
from ..options.run_sections import Degradation, Distributed, Logger, Paths, Validation
from ..options.schema import json_schema
from ..options.section import Built, Section, wrong
from ..options.training import Train

SPANDREL = "Spandrel"  # the arch that is its file of weights


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
    """A network: its class and the arguments of its constructor; with weights it is evaluated, not trained."""

    model_type: Text = Field("RestorationModel", description="Kind of training.")
    weights: FilePath | None = Field(None, description="A file or a published name: evaluated as it is, not trained.")
    param_key: Text | None = Field(None, description="Key in the file of weights; ~: whichever there is.")
    source: Text | None = Field(None, description="Where the file of weights is from; shown if it is missing.")

    @property
    def is_trained(self) -> bool:
        """Whether it is neither a network with weights nor a classical method."""
        return self.weights is None and self.type not in METHODS

    @model_validator(mode="after")
    def _has_weights_to_load(self) -> "Model":
        for key in ("param_key", "source"):
            if self.weights is None and getattr(self, key) is not None:
                raise wrong("is for a model with weights", key)
        if self.weights is not None and self.type in METHODS:
            raise wrong(f"{self.type} has no weights", "weights")
        if self.type == SPANDREL and self.weights is None:
            raise wrong(f"{SPANDREL} needs a file", "weights")
        return self


class Recipe(Section):
    """What all models share: the other sections of an ordinary option file."""

    scale: Count | None = Field(None, description="Upscaling factor.")
    datasets: DataSets
    degradation: Degradation | None = None
    path: Paths | None = None
    train: Train | None = Field(None, description="Needed if a model is trained.")
    val: Validation
    logger: Logger | None = Field(None, description="Needed if a model is trained.")
    find_unused_parameters: Switch = Field(False, description="For distributed training of networks with unused parts.")
    dist_params: Distributed | None = None

    @model_validator(mode="after")
    def _can_be_measured(self) -> "Recipe":
        names = [section.name for section in self.datasets.model_extra.values()]
        if not names or len(set(names)) < len(names):
            raise wrong(f"must hold val sets with different names, got {names}", "datasets")
        if not self.val.metrics:
            raise wrong("must hold at least one metric", "val:metrics")
        return self


class BenchmarkFile(Section):
    """An option file of ``basicsr benchmark``."""

    name: Name = Field(description="Name of the benchmark, and of its folder.")
    task: Text | None = Field(None, description="Text for the report.")
    seeds: Annotated[list[Seed], Field(min_length=1), Must("a list of integers from 0 to 4294967295")] | None = Field(
        None, description="Every model without weights is trained once with each."
    )
    budget: Budget | None = Field(None, description="Default: total_iter of the recipe.")
    models: Annotated[dict[str, Model], Field(min_length=1)] = Field(description="Names and networks.")
    recipe: Recipe

    @model_validator(mode="after")
    def _has_different_seeds(self) -> "BenchmarkFile":
        if self.seeds and len(set(self.seeds)) < len(self.seeds):
            raise wrong(f"must all be different, got {self.seeds}", "seeds")
        return self

    @model_validator(mode="after")
    def _has_what_its_models_need(self) -> "BenchmarkFile":
        if not any(model.is_trained for model in self.models.values()):
            for key in ("seeds", "budget"):
                if getattr(self, key) is not None:
                    raise wrong("no model is trained, so it has no effect; leave it out", key)
            return self
        recipe = self.recipe
        if isinstance(recipe, str):  # the name of a file with the recipe, which is checked when that is read
            return self
        needed = {
            "seeds": self.seeds,
            "recipe:train": recipe.train,
            "recipe:logger": recipe.logger,
            "recipe:datasets:train": recipe.datasets.train,
            "recipe:val:val_freq": recipe.val.val_freq,
        }
        for key, value in needed.items():
            if value is None:
                raise wrong("is needed to train a model", key)
        return self


class WrittenFile(BenchmarkFile):
    """A benchmark file as it is written: the recipe may be the name of another one."""

    recipe: Recipe | Text = Field(description="The shared sections, or a file beside this one whose recipe is used.")


if __name__ == "__main__":
    print(json_schema(WrittenFile), end="")
