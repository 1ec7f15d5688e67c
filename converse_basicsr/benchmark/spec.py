"""The option file of a benchmark: models, the recipe that they share, seeds and budget."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..checks import check_run
from ..errors import UserError
from ..options.forcing import force
from ..options.reading import expand_home, read_mapping
from ..options.schema import validated
from .schedule import scale_recipe
from .schema import BenchmarkFile


@dataclass(frozen=True)
class Model:
    """A network of a benchmark."""

    name: str  # as in the option file and in the results
    slug: str  # the name, fit for a file name
    network: dict  # type and options, as the section network_g of an ordinary option file
    model_type: str


@dataclass(frozen=True)
class Benchmark:
    """The content of an option file."""

    name: str  # also of the results' folder
    file: str
    seeds: list[int]  # each model is trained once with each
    budget: dict[str, float]  # {"iterations": N} or {"minutes": M}, for each run
    models: list[Model]
    recipe: dict  # the sections that all models share
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
        expand_home(opt)
        return opt


def read_benchmark(path: str, force_yml: Sequence[str] = ()) -> Benchmark:
    """Read an option file; a recipe that is a string names the file, beside this one, whose recipe is used.

    Raises:
        UserError: a key is missing, unknown or has a wrong value.
    """
    options = read_mapping(path)
    if isinstance(options.get("recipe"), str):
        other = str(Path(path).parent / options["recipe"])
        options["recipe"] = read_mapping(other).get("recipe")
    for entry in force_yml:
        if entry.strip().startswith("budget:"):
            options["budget"] = {}  # replaces the file's budget, of either kind
        force(options, entry)
    try:
        file = validated(BenchmarkFile, options)
        models = _models(options["models"])
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    recipe = options["recipe"]
    budget = options.get("budget") or {"iterations": recipe["train"]["total_iter"]}
    return Benchmark(file.name, path, file.seeds, budget, models, recipe, options)


def check_benchmark(benchmark: Benchmark) -> None:
    """Check every model with the recipe, as ``basicsr train`` would.

    Raises:
        UserError: what is wrong with each model, by name, or with all of them.
    """
    total = benchmark.recipe["train"]["total_iter"]
    wrong: dict[str, list[str]] = {}
    for model in benchmark.models:
        try:
            check_run(benchmark.run_options(model, benchmark.seeds[0], total), is_train=True)
        except UserError as error:
            wrong.setdefault(str(error), []).append(model.name)
    if len(wrong) == 1 and len(benchmark.models) == sum(map(len, wrong.values())) > 1:
        raise UserError(f"{benchmark.file}: recipe: {next(iter(wrong))}")
    if wrong:
        listed = "; ".join(f"{', '.join(names)}: {message}" for message, names in wrong.items())
        raise UserError(f"{benchmark.file}: models: {listed}")


def _models(sections: dict) -> list[Model]:
    models: dict[str, Model] = {}
    for name, section in sections.items():
        slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        if not slug or "debug" in slug:
            raise UserError(f"models:{name}: must have letters or digits, without 'debug' (BasicSR acts on it)")
        if slug in models:
            raise UserError(f"models:{name}: its files would have the same names as those of {models[slug].name}")
        network = {key: value for key, value in section.items() if key != "model_type"}
        models[slug] = Model(name, slug, network, section.get("model_type", "RestorationModel"))
    return list(models.values())
