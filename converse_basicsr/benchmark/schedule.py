"""A recipe for another number of iterations."""

import math
from copy import deepcopy


def scale_recipe(recipe: dict, iterations: int) -> dict:
    """A copy of the recipe with total_iter set, and everything it counts in iterations scaled with it.

    That is the schedule (periods, milestones, restarts, warmup_iter), val_freq and save_checkpoint_freq.
    """
    recipe = deepcopy(recipe)
    train = recipe["train"]
    factor = iterations / train["total_iter"]
    if factor == 1:  # before the checks of the recipe, which may still be wrong
        return recipe

    def scaled(count: float) -> int:
        return max(min(count, 1), math.ceil(round(count * factor, 6)))  # a restart at 0 stays there

    train["total_iter"] = iterations
    for key in ("periods", "milestones", "restarts"):
        if key in train["scheduler"]:
            train["scheduler"][key] = [scaled(count) for count in train["scheduler"][key]]
    counts = {"warmup_iter": train, "val_freq": recipe["val"], "save_checkpoint_freq": recipe["logger"]}
    for key, section in counts.items():
        if (section.get(key) or 0) > 0:
            section[key] = scaled(section[key])
    return recipe
