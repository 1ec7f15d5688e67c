"""The option file of a benchmark: models, the recipe that they share, seeds and budget."""

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from basicsr.utils.registry import MODEL_REGISTRY

from ..checks import check_run, read_options
from ..checks.models import is_restoration_model
from ..checks.option_file import expand_home, force
from ..checks.types import check_type
from ..checks.values import require
from ..errors import UserError
from .schedule import scale_recipe

KEYS = ("name", "task", "seeds", "budget", "models", "recipe")
ANCHORS = "x-"  # a top-level key that begins so only holds anchors for YAML's merge keys
RUN_KEYS = ("name", "model_type", "manual_seed", "network_g")  # set for each run, so not in the recipe
SECTIONS = {  # of the recipe, and their needed keys
    "datasets": ("train",),
    "train": ("total_iter", "scheduler"),
    "val": ("val_freq", "metrics"),
    "logger": ("print_freq", "save_checkpoint_freq"),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Model:
    """A network of a benchmark."""

    name: str  # as in the option file and in the results
    slug: str  # the name, fit for a file name
    network: dict  # type and options, as the section network_g of an ordinary option file
    model_type: str  # RestorationModel, or a subclass


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
    options = _read(path)
    if isinstance(options.get("recipe"), str):
        other = _read(str(Path(path).parent / options["recipe"]))
        require(other, options["recipe"], "recipe")
        options["recipe"] = other["recipe"]
    for entry in force_yml:
        if entry.strip().startswith("budget:"):
            options["budget"] = {}  # replaces the file's budget, of either kind
        force(options, entry)
    for key in options:
        if key not in KEYS:
            nearest = "".join(f"; did you mean {name}?" for name in difflib.get_close_matches(key, KEYS, n=1))
            raise UserError(f"{path}: no option {key!r}{nearest} ({', '.join(KEYS)})")
    require(options, "", "name", "seeds", "models", "recipe")
    name, seeds, recipe = options["name"], options["seeds"], options["recipe"]
    _check_name("name", name)
    _check_seeds(seeds)
    _check_recipe(recipe)
    budget = options.get("budget") or {"iterations": recipe["train"]["total_iter"]}
    _check_budget(budget)
    return Benchmark(name, path, seeds, budget, _read_models(options["models"]), recipe, options)


def check_benchmark(benchmark: Benchmark) -> None:
    """Check every model with the recipe, as ``basicsr train`` would.

    Raises:
        UserError: what is wrong with each model, by name, or with all of them.
    """
    total = benchmark.recipe["train"]["total_iter"]
    wrong: dict[str, list[str]] = {}
    for model in benchmark.models:
        try:
            check_type("model_type", model.model_type, MODEL_REGISTRY, "model")
            if not is_restoration_model(model.model_type):
                raise UserError(
                    f"model_type: {model.model_type} must be RestorationModel or a subclass (separate_draws)"
                )
            check_run(benchmark.run_options(model, benchmark.seeds[0], total), is_train=True)
        except UserError as error:
            wrong.setdefault(str(error), []).append(model.name)
    if len(wrong) == 1 and len(benchmark.models) == sum(map(len, wrong.values())) > 1:
        raise UserError(f"{benchmark.file}: recipe: {next(iter(wrong))}")
    if wrong:
        listed = "; ".join(f"{', '.join(names)}: {message}" for message, names in wrong.items())
        raise UserError(f"{benchmark.file}: models: {listed}")


def _read(path: str) -> dict:
    options = read_options(path, merge_keys=True)
    options = {key: value for key, value in options.items() if not key.startswith(ANCHORS)}
    return json.loads(json.dumps(options, default=str))  # an anchor and its aliases are one object, which force changes


def _check_name(where: str, name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or "debug" in name.lower():
        raise UserError(
            f"{where}: must be letters, digits, _, - and ., without 'debug' (BasicSR acts on it), got {name!r}"
        )


def _check_seeds(seeds: object) -> None:
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise UserError(f"seeds: must be a list of integers >= 0, got {seeds!r}")
    if len(set(seeds)) < len(seeds):
        raise UserError(f"seeds: must all be different, got {seeds!r}")


def _check_budget(budget: object) -> None:
    if not isinstance(budget, dict) or len(budget) != 1 or not budget.keys() <= {"iterations", "minutes"}:
        raise UserError(f"budget: must be {{iterations: N}} or {{minutes: M}}, got {budget!r}")
    for kind, amount in budget.items():
        if type(amount) not in (int, float) or amount <= 0:
            raise UserError(f"budget:{kind}: must be a number above 0, got {amount!r}")
        if kind == "iterations" and amount != int(amount):
            raise UserError(f"budget:iterations: must be an integer, got {amount!r}")


def _read_models(sections: object) -> list[Model]:
    if not isinstance(sections, dict) or not sections:
        raise UserError(f"models: must be a mapping of names to networks, got {sections!r}")
    models: dict[str, Model] = {}
    for name, section in sections.items():
        require(section, f"models:{name}", "type")
        slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        _check_name(f"models:{name}", slug)
        if slug in models:
            raise UserError(f"models:{name}: its files would have the same names as those of {models[slug].name}")
        network = {key: value for key, value in section.items() if key != "model_type"}
        models[slug] = Model(name, slug, network, section.get("model_type", "RestorationModel"))
    return list(models.values())


def _check_recipe(recipe: object) -> None:
    require(recipe, "recipe", *SECTIONS)
    for key in RUN_KEYS:
        if key in recipe:
            raise UserError(f"recipe:{key}: does not belong to the recipe: the benchmark sets it for each run")
    for key, needed in SECTIONS.items():
        require(recipe[key], f"recipe:{key}", *needed)
    require(recipe["val"]["metrics"], "recipe:val:metrics")
    if not recipe["val"]["metrics"]:
        raise UserError("recipe:val:metrics: must hold at least one metric")
    names = []
    for key, section in recipe["datasets"].items():
        require(section, f"recipe:datasets:{key}", "name")
        if key.startswith("val"):
            _check_name(f"recipe:datasets:{key}:name", section["name"])
            names.append(section["name"])
    if not names or len(set(names)) < len(names):
        raise UserError(f"recipe:datasets: must hold val sets with different names, got {names!r}")
    total = recipe["train"]["total_iter"]
    if type(total) is not int or total < 1:
        raise UserError(f"recipe:train:total_iter: must be an integer >= 1, got {total!r}")
