"""The option file of a benchmark: entrants, the recipe that they share, seeds and budget."""

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from ..checks import check_run, read_options
from ..checks.option_file import expand_home, force
from ..checks.types import check_type
from ..checks.values import require
from ..errors import UserError
from .schedule import scale_recipe

KEYS = ("name", "task", "seeds", "budget", "entrants", "recipe")
BUDGETS = ("iterations", "minutes")
OWN = ("name", "model_type", "manual_seed", "network_g")  # keys of a run that are not the recipe's
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Entrant:
    """A network of a benchmark.

    Args:
        name: as in the option file and in the results.
        slug: the name, fit for a file name.
        network: type and options, as the section network_g of an ordinary option file.
        model_type: RestorationModel, or a class made from it.
    """

    name: str
    slug: str
    network: dict
    model_type: str


@dataclass(frozen=True)
class Benchmark:
    """What an option file describes.

    Args:
        name: of the results' folder, too.
        file: the option file.
        seeds: each entrant is trained once with each.
        budget: {"iterations": N} or {"minutes": M}, for each run.
        entrants: in the order of the file.
        recipe: the sections that all entrants share.
        options: the file's content, forced values applied, by which a changed file is known.
    """

    name: str
    file: str
    seeds: list[int]
    budget: dict[str, float]
    entrants: list[Entrant]
    recipe: dict
    options: dict

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

    def run_name(self, entrant: Entrant, seed: int) -> str:
        return f"{self.name}_{entrant.slug}_seed{seed}"

    def run_options(self, entrant: Entrant, seed: int, iterations: int) -> dict:
        """An ordinary option file: what trains one entrant with one seed."""
        opt = {
            "name": self.run_name(entrant, seed),
            "model_type": entrant.model_type,
            "manual_seed": seed,
            "num_gpu": "auto",
            **scale_recipe(self.recipe, iterations),
            "network_g": deepcopy(entrant.network),
        }
        opt["path"] = {"pretrain_network_g": None, "strict_load_g": True, "resume_state": None, **opt.get("path", {})}
        opt["train"]["separate_draws"] = True
        opt["logger"]["journal"] = True
        expand_home(opt)
        return opt


def read_benchmark(path: str, force_yml: Sequence[str] = ()) -> Benchmark:
    """Read an option file; a recipe that is a text is the file, beside this one, whose recipe is taken.

    Raises:
        UserError: a key is missing, unknown or has a wrong value.
    """
    options = read_options(path)
    if isinstance(options.get("recipe"), str):
        other = read_options(str(Path(path).parent / options["recipe"]))
        require(other, options["recipe"], "recipe")
        options["recipe"] = other["recipe"]
    for entry in force_yml:
        if entry.strip().startswith("budget:"):
            options["budget"] = {}  # of either kind, in place of the file's
        force(options, entry)
    require(options, "", "name", "seeds", "entrants", "recipe")
    for key in options:
        if key not in KEYS:
            raise UserError(f"{path}: no option {key!r} ({', '.join(KEYS)})")
    _check_name("name", options["name"])
    recipe = options["recipe"]
    _check_recipe(recipe)
    return Benchmark(
        options["name"],
        path,
        _read_seeds(options["seeds"]),
        _read_budget(options.get("budget") or {"iterations": recipe["train"]["total_iter"]}),
        _read_entrants(options["entrants"]),
        recipe,
        options,
    )


def check_benchmark(benchmark: Benchmark) -> None:
    """Check every entrant with the recipe, as ``basicsr train`` would.

    Raises:
        UserError: what is wrong with each entrant, by name, or with all of them.
    """
    total = benchmark.recipe["train"]["total_iter"]
    wrong: dict[str, list[str]] = {}
    for entrant in benchmark.entrants:
        try:
            _check_model_type(entrant)
            check_run(benchmark.run_options(entrant, benchmark.seeds[0], total), is_train=True)
        except UserError as error:
            wrong.setdefault(str(error), []).append(entrant.name)
    if len(wrong) == 1 and len(benchmark.entrants) == sum(map(len, wrong.values())) > 1:
        raise UserError(f"{benchmark.file}: recipe: {next(iter(wrong))}")
    if wrong:
        listed = "; ".join(f"{', '.join(names)}: {message}" for message, names in wrong.items())
        raise UserError(f"{benchmark.file}: entrants: {listed}")


def _check_model_type(entrant: Entrant) -> None:
    from basicsr.utils.registry import MODEL_REGISTRY

    from ..models.restoration_model import RestorationModel

    model = check_type("model_type", entrant.model_type, MODEL_REGISTRY, "model")
    if not issubclass(model, RestorationModel):
        raise UserError(
            f"model_type: {entrant.model_type} does not keep the draws of the network and of the data apart; "
            "RestorationModel, or a class made from it, does"
        )


def _check_name(where: str, name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or "debug" in name.lower():
        raise UserError(
            f"{where}: must be letters, digits, _, - and ., and not hold 'debug' (BasicSR acts on it): {name!r}"
        )


def _read_seeds(seeds: object) -> list[int]:
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise UserError(f"seeds: must be a list of whole numbers of 0 or more, got {seeds!r}")
    if len(set(seeds)) < len(seeds):
        raise UserError(f"seeds: each may be there once, got {seeds!r}")
    return seeds


def _read_budget(budget: object) -> dict[str, float]:
    if not isinstance(budget, dict) or len(budget) != 1 or next(iter(budget)) not in BUDGETS:
        raise UserError(f"budget: must be {{iterations: N}} or {{minutes: M}}, got {budget!r}")
    kind, amount = next(iter(budget.items()))
    if isinstance(amount, bool) or not isinstance(amount, (int, float)) or amount <= 0:
        raise UserError(f"budget:{kind}: must be a number above 0, got {amount!r}")
    if kind == "iterations" and amount != int(amount):
        raise UserError(f"budget:iterations: must be a whole number, got {amount!r}")
    return {kind: amount}


def _read_entrants(sections: object) -> list[Entrant]:
    if not isinstance(sections, dict) or not sections:
        raise UserError(f"entrants: must hold names and their networks, got {sections!r}")
    entrants: dict[str, Entrant] = {}
    for name, section in sections.items():
        require(section, f"entrants:{name}", "type")
        slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        _check_name(f"entrants:{name}", slug)
        if slug in entrants:
            raise UserError(f"entrants:{name}: its files would have the names of those of {entrants[slug].name}")
        network = {key: value for key, value in section.items() if key != "model_type"}
        entrants[slug] = Entrant(name, slug, network, section.get("model_type", "RestorationModel"))
    return list(entrants.values())


def _check_recipe(recipe: object) -> None:
    require(recipe, "recipe", "datasets", "train", "val", "logger")
    for key in OWN:
        if key in recipe:
            raise UserError(f"recipe:{key}: is not the recipe's: each run has its own")
    require(recipe["datasets"], "recipe:datasets", "train")
    require(recipe["train"], "recipe:train", "total_iter", "scheduler")
    require(recipe["logger"], "recipe:logger", "print_freq", "save_checkpoint_freq")
    require(recipe["val"], "recipe:val", "val_freq", "metrics")
    require(recipe["val"]["metrics"], "recipe:val:metrics")
    if not recipe["val"]["metrics"]:
        raise UserError("recipe:val:metrics: there is none to compare by")
    names = []
    for key, section in recipe["datasets"].items():
        require(section, f"recipe:datasets:{key}", "name")
        if key.startswith("val"):
            _check_name(f"recipe:datasets:{key}:name", section["name"])
            names.append(section["name"])
    if not names or len(set(names)) < len(names):
        raise UserError(f"recipe:datasets: there must be val sets, each with a name of its own, got {names!r}")
    if type(recipe["train"]["total_iter"]) is not int or recipe["train"]["total_iter"] < 1:
        raise UserError(
            f"recipe:train:total_iter: must be a whole number of 1 or more, got {recipe['train']['total_iter']!r}"
        )
