"""Checks of single values, by a table of rules, and of required keys."""

from collections.abc import Callable

from ..errors import UserError


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


_KINDS: dict[str, Callable[[object], bool]] = {
    "a string": lambda value: isinstance(value, str) and value != "",
    "an integer of 0 or more": lambda value: _is_integer(value, 0),
    "an integer of 1 or more": lambda value: _is_integer(value, 1),
    "a number above 0": lambda value: _is_number(value) and value > 0,
    "a number of 0 or more": lambda value: _is_number(value) and value >= 0,
    "a list of numbers": lambda value: isinstance(value, list) and bool(value) and all(map(_is_number, value)),
    "true or false": lambda value: isinstance(value, bool),
    "cuda, cpu or ~": lambda value: value in ("cuda", "cpu", None),
}
_RULES = {  # by place, * for any key; absent keys are not checked here
    "name": "a string",
    "scale": "an integer of 1 or more",
    "manual_seed": "an integer of 0 or more",
    "datasets:*:name": "a string",
    "datasets:*:gt_size": "an integer of 1 or more",
    "datasets:*:batch_size_per_gpu": "an integer of 1 or more",
    "datasets:*:num_worker_per_gpu": "an integer of 0 or more",
    "datasets:*:dataset_enlarge_ratio": "a number above 0",
    "datasets:*:prefetch_mode": "cuda, cpu or ~",
    "train:total_iter": "an integer of 1 or more",
    "train:ema_decay": "a number of 0 or more",
    "train:separate_draws": "true or false",
    "train:optim_g:lr": "a number above 0",
    "train:scheduler:periods": "a list of numbers",
    "train:scheduler:milestones": "a list of numbers",
    "train:scheduler:restart_weights": "a list of numbers",
    "val:val_freq": "an integer of 1 or more",
    "val:tile": "an integer of 1 or more",
    "val:tile_overlap": "an integer of 0 or more",
    "val:x8": "true or false",
    "val:save_img": "true or false",
    "logger:print_freq": "an integer of 1 or more",
    "logger:save_checkpoint_freq": "an integer of 1 or more",
    "logger:use_tb_logger": "true or false",
    "logger:journal": "true or false",
    "path:pretrain_network_g": "a string",
    "path:resume_state": "a string",
}
_MAY_BE_EMPTY = ("scale", "manual_seed", "path:pretrain_network_g", "path:resume_state")


def check_values(opt: dict) -> None:
    """Check every value that has a rule.

    Raises:
        UserError: the first that breaks its rule; names the place, the value and what is allowed.
    """
    for place, kind in _RULES.items():
        for found, value in find(opt, place):
            if not (_KINDS[kind](value) or (value is None and place in _MAY_BE_EMPTY)):
                raise UserError(f"{found}: must be {kind}, got {value!r}")


def find(section: object, place: str, above: tuple[str, ...] = ()) -> list[tuple[str, object]]:
    """(place, value) of every match of a pattern such as ``datasets:*:name``, where * matches any key."""
    if not isinstance(section, dict):
        return []
    key, _, rest = place.partition(":")
    matching = [known for known in section if key in ("*", known)]
    if not rest:
        return [(":".join((*above, str(known))), section[known]) for known in matching]
    return [found for known in matching for found in find(section[known], rest, (*above, str(known)))]


def require(section: object, where: str, *keys: str) -> None:
    """Raise UserError unless the section is a mapping and has all the keys."""
    if not isinstance(section, dict):
        raise UserError(f"{where} must be a mapping (key: value), got {section!r}")
    for key in keys:
        if key not in section:
            raise UserError(f"the option file has no {where + ':' if where else ''}{key}")
