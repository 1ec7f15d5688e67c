"""Building our networks: from options that a file carries or the user gives, else from what is detected."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from .. import networks
from ..errors import UserError, shown
from ..files.checkpoint import misfit
from ..options.constructors import check_options, with_defaults
from .detection import OF_TRAINING, Detected, detect
from .reading import Weights

SAME = {"MSRResNet": "UpsamplerSRResNet"}  # BasicSR's arch: one of ours with the same options, keys and output
_COUNTS = {"num_block": "block", "num_layer": "layer", "num_feat": "channel"}


@dataclass(frozen=True)
class Built:
    """A network with its weights.

    Attributes:
        network: on the CPU.
        words: one line that says which network it is, and where its options are from.
        options: {'type': ..., all constructor options} of one of our networks, else None.
        state_dict: the file's tensors, with the network's names.
        hidden: options that the shapes do not tell, and that are not the published ones.
    """

    network: nn.Module
    words: str
    options: dict | None = None
    state_dict: Mapping[str, Tensor] | None = None
    hidden: tuple[str, ...] = ()


def is_ours(options: dict | None) -> bool:
    """Whether the options are those of one of our networks."""
    return options is not None and options["type"] in (*networks.__all__, *SAME)


def build_ours(weights: Weights, given: dict | None, source: str) -> Built | None:
    """Build and load one of our networks.

    Args:
        weights: the file.
        given: {'type': one of ours, constructor options}, or None: detect it.
        source: in words, where `given` is from.

    Returns:
        None if nothing is given and the keys are not those of ours.

    Raises:
        UserError: the options contradict the shapes, shapes leave a choice that nothing decides, or keys do not fit.
    """
    found = detect(weights.state_dict)
    if given is not None:
        kind = SAME.get(given["type"], given["type"])
        options = {name: value for name, value in given.items() if name != "type"}
        check_options(f"{weights.name}: {source}", options, getattr(networks, kind))
        if found is not None:
            _check_agreement(weights, found, kind, options, source)
        words = f"as {source} says"
    elif found is not None:
        if found.choices:
            raise UserError(f"{weights.name}: {_undecided(found)}")
        kind, options = found.type, found.options
        words = f"detected from its keys{f'; {_join(found.untold)} as published' if found.untold else ''}"
    else:
        return None
    state_dict = weights.state_dict if found is None else found.state_dict
    network = _load(weights, kind, options, state_dict)
    defaults = with_defaults(type(network), {})
    full = {"type": kind, **defaults, **options}
    told = found.options if found is not None else ()
    hidden = tuple(name for name in defaults if name not in (*told, *OF_TRAINING) and full[name] != defaults[name])
    return Built(network, f"{_describe(network, full)}, {words}", full, state_dict, hidden)


def _load(weights: Weights, kind: str, options: dict, state_dict: Mapping[str, Tensor]) -> nn.Module:
    for name in ("num_block", "num_layer"):  # more than the file can have are refused before they are built
        if isinstance(options.get(name), int) and options[name] > len(state_dict):
            raise UserError(f"{weights.name}: {name} is {options[name]}, but it has only {len(state_dict)} tensors")
    try:
        network = getattr(networks, kind)(**options)
    except (ValueError, TypeError, RuntimeError) as error:  # a wrong value, or more memory than there is
        raise UserError(f"{weights.name}: {kind}: {str(error).splitlines()[0]}") from error
    problem = misfit(network, state_dict)
    if problem:
        raise UserError(f"{weights.name} does not fit {kind}: {problem}")
    network.load_state_dict(state_dict)
    return network


def _check_agreement(weights: Weights, found: Detected, kind: str, options: dict, source: str) -> None:
    if kind != found.type:
        raise UserError(f"{weights.name}: {source} says {kind}, but its keys are those of {found.type}")
    for name, value in found.options.items():
        if name in options and options[name] != value:
            raise UserError(
                f"{weights.name}: {source} says {name} {shown(options[name])}, but its tensors say {shown(value)}"
            )


def _undecided(found: Detected) -> str:
    [(name, values)] = found.choices.items()
    values = " or ".join(map(repr, values))
    return f"{found.type} whose shapes do not tell {name}, {values}; give its option file (--opt FILE, with network_g)"


def _describe(network: nn.Module, options: dict) -> str:
    """'ConverseSRResNet x4 (16 blocks of 64 channels)'."""
    scale = f" x{network.scale}" if network.scale > 1 else ""
    counts = (_count(options[name], word) for name, word in _COUNTS.items() if name in options)
    return f"{type(network).__name__}{scale} ({' of '.join(counts)})"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
