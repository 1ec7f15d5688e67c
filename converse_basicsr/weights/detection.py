"""Finding out which of our networks a state dict is for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature

from torch import Tensor, nn

from .. import networks
from .shapes import CHOICE, READERS

# Names of parameters in files of other projects, and ours.
RENAMED = {"model.": "body."}  # KAIR's DnCNN: one sequence of layers, as our DnCNN's body
OF_TRAINING = ("psf_init", "learn_lam", "use_checkpoint")  # options without effect on trained weights


@dataclass(frozen=True)
class Detected:
    """A network found by its keys.

    Attributes:
        type: a name in converse_basicsr.networks.
        options: constructor options that the shapes tell.
        choices: constructor options of which the shapes leave these values.
        state_dict: the state dict, with our names.
    """

    type: str
    options: dict
    state_dict: Mapping[str, Tensor]
    choices: dict[str, tuple] = field(default_factory=dict)

    @property
    def untold(self) -> list[str]:
        """Constructor options that shapes do not tell, and that change the result."""
        names = signature(getattr(networks, self.type)).parameters
        return [name for name in names if name not in (*self.options, *self.choices, *OF_TRAINING)]


def detect(state_dict: Mapping[str, Tensor]) -> Detected | None:
    """The network whose keys and shapes these are; None if it is none of ours. The values are not looked at."""
    for names in (state_dict, _renamed(state_dict)):
        shapes = {name: tuple(getattr(tensor, "shape", ())) for name, tensor in names.items()}
        for network, (keys, read) in READERS.items():
            if not all(shapes.get(key) for key in keys):
                continue
            try:
                options = read(shapes)
            except (KeyError, IndexError, ValueError):
                break
            choices = {name: value[CHOICE] for name, value in options.items() if isinstance(value, dict)}
            told = {name: value for name, value in options.items() if name not in choices}
            return Detected(network, told, names, choices)
    return None


def with_names_of(network: nn.Module, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state dict; under our names, if it has the names of RENAMED and the network has ours."""
    expected, renamed = network.state_dict().keys(), _renamed(state_dict)
    return renamed if expected & renamed.keys() and not expected & state_dict.keys() else state_dict


def _renamed(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for theirs, ours in RENAMED.items():
        if state_dict and all(name.startswith(theirs) for name in state_dict):
            return {ours + name.removeprefix(theirs): tensor for name, tensor in state_dict.items()}
    return {}
