"""Values that must be of a kind: a table of rules, and sections that must be mappings."""

from collections.abc import Callable

from ..errors import UserError


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


_KINDS: dict[str, Callable[[object], bool]] = {
    "a text": lambda value: isinstance(value, str) and value != "",
    "a whole number of 0 or more": lambda value: _is_whole(value, 0),
    "a whole number of 1 or more": lambda value: _is_whole(value, 1),
    "a number above 0": lambda value: _is_number(value) and value > 0,
    "a number of 0 or more": lambda value: _is_number(value) and value >= 0,
    "a list of numbers": lambda value: isinstance(value, list) and bool(value) and all(map(_is_number, value)),
    "true or false": lambda value: isinstance(value, bool),
    "cuda, cpu or ~": lambda value: value in ("cuda", "cpu", None),
}
_RULES = {  # by place, * for any key; a key that is absent breaks no rule
    "name": "a text",
    "scale": "a whole number of 1 or more",
    "manual_seed": "a whole number of 0 or more",
    "datasets:*:name": "a text",
    "datasets:*:gt_size": "a whole number of 1 or more",
    "datasets:*:batch_size_per_gpu": "a whole number of 1 or more",
    "datasets:*:num_worker_per_gpu": "a whole number of 0 or more",
    "datasets:*:dataset_enlarge_ratio": "a number above 0",
    "datasets:*:prefetch_mode": "cuda, cpu or ~",
    "train:total_iter": "a whole number of 1 or more",
    "train:ema_decay": "a number of 0 or more",
    "train:separate_draws": "true or false",
    "train:optim_g:lr": "a number above 0",
    "train:scheduler:periods": "a list of numbers",
    "train:scheduler:milestones": "a list of numbers",
    "train:scheduler:restart_weights": "a list of numbers",
    "val:val_freq": "a whole number of 1 or more",
    "val:tile": "a whole number of 1 or more",
    "val:tile_overlap": "a whole number of 0 or more",
    "val:x8": "true or false",
    "val:save_img": "true or false",
    "logger:print_freq": "a whole number of 1 or more",
    "logger:save_checkpoint_freq": "a whole number of 1 or more",
    "logger:use_tb_logger": "true or false",
    "logger:journal": "true or false",
    "path:pretrain_network_g": "a text",
    "path:resume_state": "a text",
}
_MAY_BE_EMPTY = ("scale", "manual_seed", "path:pretrain_network_g", "path:resume_state")


def check_values(opt: dict) -> None:
    """Hold every value that a rule speaks of against it.

    Raises:
        UserError: the first that does not fit; names its place, the value, and what would be right.
    """
    for place, kind in _RULES.items():
        for found, value in find(opt, place):
            if not (_KINDS[kind](value) or (value is None and place in _MAY_BE_EMPTY)):
                raise UserError(f"{found}: must be {kind}, got {value!r}")


def find(section: object, place: str, above: tuple[str, ...] = ()) -> list[tuple[str, object]]:
    """Every value at a place (``datasets:*:name``; * stands for any key), with the place where it was found."""
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
        raise UserError(f"{where} must hold keys and values, got {section!r}")
    for key in keys:
        if key not in section:
            raise UserError(f"the option file has no {where + ':' if where else ''}{key}")
