"""The option file of a benchmark: models, the recipe that they share, seeds and budget."""

import os
import re
from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..options.forcing import force
from ..options.reading import expand_home, read_mapping
from ..options.validating import validated
from .schedule import scale_recipe
from .schema import SPANDREL, BenchmarkFile
from .schema import Model as ModelSection


@dataclass(frozen=True)
class Model:
    """A network of a benchmark."""

    name: str  # as in the option file and in the results
    slug: str  # the name, fit for a file name
    network: dict  # type and options, as the section network_g of an ordinary option file
    model_type: str
    is_trained: bool
    weights: str | None = None  # a file or a published name
    param_key: str | None = None
    source: str | None = None  # where the file is from


@dataclass(frozen=True)
class Benchmark:
    """The content of an option file."""

    name: str  # also of the results' folder
    file: str
    seeds: list[int]  # each model is trained once with each; empty if none is trained
    budget: dict[str, float]  # {"iterations": N} or {"minutes": M}, for each training; empty if there is none
    models: list[Model]
    recipe: dict  # the sections that all models share; ~ in paths is expanded
    options: dict  # the whole file with forced values applied, to notice a changed file

    @property
    def sets(self) -> dict[str, dict]:
        """The validation sets by name."""
        return {section["name"]: section for key, section in self.recipe["datasets"].items() if key.startswith("val")}

    @property
    def metrics(self) -> dict[str, dict]:
        return self.recipe["val"]["metrics"]

    @property
    def scale(self) -> int:
        return self.recipe.get("scale") or 1

    def seeds_of(self, model: Model) -> list[int | None]:
        """One seed for each run of the model; None for the run of a model that is not trained."""
        return self.seeds if model.is_trained else [None]

    def run_name(self, model: Model, seed: int) -> str:
        return f"{self.name}_{model.slug}_seed{seed}"

    def run_options(self, model: Model, seed: int, iterations: int) -> dict:
        """An ordinary option file that trains one model with one seed."""
        opt = {
            "name": self.run_name(model, seed),
            "model_type": model.model_type,
            "manual_seed": seed,
            "num_gpu": "auto",
            **scale_recipe(self.recipe, iterations),
            "network_g": model.network,
        }
        opt["path"] = {"pretrain_network_g": None, "strict_load_g": True, "resume_state": None, **opt.get("path", {})}
        return opt

    def test_options(self, model: Model) -> dict:
        """An ordinary option file that tests a model that is not trained."""
        sets = {key: section for key, section in self.recipe["datasets"].items() if key.startswith("val")}
        val = {key: value for key, value in self.recipe["val"].items() if key != "val_freq"}
        weights = None if model.network["type"] == SPANDREL else model.weights
        opt = {
            "name": f"{self.name}_{model.slug}",
            "model_type": model.model_type,
            "num_gpu": "auto",
            "datasets": deepcopy(sets),
            "network_g": model.network,
            "path": {"pretrain_network_g": weights, "param_key_g": model.param_key, "strict_load_g": True},
            "val": {**val, "save_img": False},
        }
        if "scale" in self.recipe:
            opt["scale"] = self.recipe["scale"]
        return opt


def read_benchmark(path: str, force_yml: Sequence[str] = ()) -> Benchmark:
    """Read an option file; a recipe that is a string names the file, beside this one, whose recipe is used.

    Raises:
        UserError: a key is missing, unknown or has a wrong value.
    """
    options = read_mapping(path)
    if "network_g" in options and "models" not in options:
        raise UserError(f"{path}: this is an option file for one network: basicsr train (or test) -opt {path}")
    if isinstance(options.get("recipe"), str):
        other = str(Path(path).parent / options["recipe"])
        options["recipe"] = read_mapping(other).get("recipe")
        if not isinstance(options["recipe"], dict):
            raise UserError(f"{path}: recipe: {other} has no section recipe")
    for entry in force_yml:
        if entry.strip().startswith("budget:"):
            options["budget"] = {}  # replaces the file's budget, of either kind
        force(options, entry)
    try:
        file = validated(BenchmarkFile, options)
        models = _models(file.models, options["models"])
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    recipe = deepcopy(options["recipe"])
    expand_home(recipe)
    if recipe.get("scale") is None:
        recipe.pop("scale", None)
    is_trained = any(model.is_trained for model in models)
    budget = options.get("budget") or ({"iterations": recipe["train"]["total_iter"]} if is_trained else {})
    return Benchmark(file.name, path, file.seeds or [], budget, models, recipe, options)


def check_benchmark(benchmark: Benchmark, missing: Collection[str] = ()) -> None:
    """Check every model with the recipe, as ``basicsr train`` or ``basicsr test`` would, but the missing ones.

    Raises:
        UserError: what is wrong with each model, by name, or with all of them.
    """
    from ..checks import check_run  # needs torch, which reading a file does not

    wrong: dict[str, list[str]] = {}
    models = [model for model in benchmark.models if model.name not in missing]
    for model in models:
        try:
            if model.is_trained:
                total = benchmark.recipe["train"]["total_iter"]
                check_run(benchmark.run_options(model, benchmark.seeds[0], total), is_train=True)
            else:
                check_run(benchmark.test_options(model), is_train=False)
        except UserError as error:
            wrong.setdefault(str(error), []).append(model.name)
    if len(wrong) == 1 and len(models) == sum(map(len, wrong.values())) > 1:
        raise UserError(f"{benchmark.file}: recipe: {next(iter(wrong))}")
    if wrong:
        listed = "; ".join(f"{', '.join(names)}: {message}" for message, names in wrong.items())
        raise UserError(f"{benchmark.file}: models: {listed}")


def _models(checked: dict[str, ModelSection], sections: dict) -> list[Model]:
    models: dict[str, Model] = {}
    for name, section in sections.items():
        slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        if not slug or "debug" in slug:
            raise UserError(f"models:{name}: must have letters or digits, without 'debug' (BasicSR acts on it)")
        if slug in models:
            raise UserError(f"models:{name}: its files would have the same names as those of {models[slug].name}")
        model = checked[name]
        weights = os.path.expanduser(model.weights) if model.weights else None
        ours = ModelSection.model_fields.keys() - {"type"}
        network = {key: value for key, value in section.items() if key not in ours}
        if model.type == SPANDREL:
            network["weights"] = weights
        models[slug] = Model(
            name, slug, network, model.model_type, model.is_trained, weights, model.param_key, model.source
        )
    return list(models.values())
