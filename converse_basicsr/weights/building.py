"""Building our networks: from options that a file carries or the user gives, else from what is detected."""

from torch import nn

from .. import networks
from ..errors import UserError, shown
from ..files.checkpoint import misfit
from ..options.constructors import check_options
from .detection import detect
from .reading import Weights

_COUNTS = {"num_block": "block", "num_layer": "layer", "num_feat": "channel"}
SAME = {"MSRResNet": "UpsamplerSRResNet"}  # BasicSR's arch: one of ours with the same options, keys and output


def is_ours(options: dict | None) -> bool:
    """Whether the options are those of one of our networks."""
    return options is not None and options.get("type") in (*networks.__all__, *SAME)


def build_ours(weights: Weights, given: dict | None, source: str) -> tuple[nn.Module, str] | None:
    """Build and load one of our networks.

    Args:
        weights: the file.
        given: {'type': one of ours, constructor options}, or None: detect it.
        source: in words, where `given` is from.

    Returns:
        The network and its description; None if nothing is given and the keys are not those of ours.

    Raises:
        UserError: the options contradict the shapes, shapes leave a choice that nothing decides, or keys do not fit.
    """
    found = detect(weights.state_dict)
    if given is None:
        if found is None:
            return None
        if found.choices:
            raise UserError(f"{weights.path}: {_undecided(found.type, found.choices)}")
        network = _load(weights, found.type, found.options, found.state_dict)
        untold = f"; {_join(found.untold)} as published" if found.untold else ""
        return network, f"{describe(network, found.options)}, detected from its keys{untold}"
    kind = SAME.get(given["type"], given["type"])
    options = {name: value for name, value in given.items() if name != "type"}
    check_options(f"{weights.path}: {source}", options, getattr(networks, kind))
    if found is not None:
        _check_agreement(weights, found.type, found.options, kind, options, source)
    state_dict = weights.state_dict if found is None else found.state_dict
    network = _load(weights, kind, options, state_dict)
    return network, f"{describe(network, {**(found.options if found else {}), **options})}, as {source} says"


def describe(network: nn.Module, options: dict) -> str:
    """'ConverseSRResNet x4 (16 blocks of 64 channels)'."""
    scale = f" x{network.scale}" if network.scale > 1 else ""
    counts = (_count(options[name], word) for name, word in _COUNTS.items() if name in options)
    return f"{type(network).__name__}{scale} ({' of '.join(counts)})"


def _load(weights: Weights, kind: str, options: dict, state_dict: dict) -> nn.Module:
    _check_counts(weights, options, state_dict)
    try:
        network = getattr(networks, kind)(**options)
    except (ValueError, TypeError, RuntimeError) as error:  # a wrong value, or more memory than there is
        raise UserError(f"{weights.path}: {kind}: {str(error).splitlines()[0]}") from error
    problem = misfit(network, state_dict)
    if problem:
        raise UserError(f"{weights.path} does not fit {kind}: {problem}")
    network.load_state_dict(state_dict)
    return network


def _check_counts(weights: Weights, options: dict, state_dict: dict) -> None:
    """Refuse more layers than the file can have, before they are built."""
    for name in ("num_block", "num_layer"):
        if isinstance(options.get(name), int) and options[name] > len(state_dict):
            raise UserError(f"{weights.path}: {name} is {options[name]}, but it has only {len(state_dict)} tensors")


def _check_agreement(weights: Weights, kind: str, told: dict, given_kind: str, given: dict, source: str) -> None:
    if given_kind != kind:
        raise UserError(f"{weights.path}: {source} says {given_kind}, but its keys are those of {kind}")
    for name, value in told.items():
        if name in given and given[name] != value:
            raise UserError(
                f"{weights.path}: {source} says {name} {shown(given[name])}, but its tensors say {shown(value)}"
            )


def _undecided(kind: str, choices: dict[str, tuple]) -> str:
    [(name, values)] = choices.items()
    values = " or ".join(map(repr, values))
    return f"{kind} whose shapes do not tell {name}, {values}; give its option file (--opt FILE, with network_g)"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
