"""A recipe for another number of iterations."""

import math
from copy import deepcopy

LISTS = ("periods", "milestones")


def scale_recipe(recipe: dict, iterations: int) -> dict:
    """The recipe with total_iter set, and whatever it counts in iterations at the same share of them as before.

    That is the schedule (periods, milestones, warmup_iter), val_freq and save_checkpoint_freq.
    """
    recipe = deepcopy(recipe)
    train = recipe["train"]
    factor = iterations / train["total_iter"]

    def scaled(count: float) -> int:
        return max(1, math.ceil(round(count * factor, 6)))

    train["total_iter"] = iterations
    scheduler = train["scheduler"]
    for key in LISTS:
        if isinstance(scheduler, dict) and isinstance(scheduler.get(key), list):
            scheduler[key] = [scaled(count) for count in scheduler[key]]
    for section, key in (
        (train, "warmup_iter"),
        (recipe["val"], "val_freq"),
        (recipe["logger"], "save_checkpoint_freq"),
    ):
        if isinstance(section.get(key), int) and section[key] > 0:
            section[key] = scaled(section[key])
    return recipe
