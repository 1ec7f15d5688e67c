"""Reading a file of weights that somebody else may have made."""

import os
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from ..errors import UserError, plain, shown
from ..files.checkpoint import load_file, select_state_dict
from ..options.constructors import is_plain
from .detection import with_names_of
from .locating import locate

LARGEST = 2 << 30  # bytes of a file, and of the tensors in it
_MOST = 1 << 16  # the largest integer that an option may have


@dataclass(frozen=True)
class Weights:
    """The content of a file.

    Attributes:
        path: the file.
        state_dict: parameters and buffers by name.
        options: {'type': ..., constructor options} of the network, if the file carries them.
        words: which part of the file the state dict is.
    """

    path: Path
    state_dict: dict[str, Tensor]
    options: dict | None
    words: str

    @property
    def name(self) -> str:
        """The path as a message shows it."""
        return plain(self.path)


def read_weights(path: str | os.PathLike, largest: int = LARGEST) -> Weights:
    """Read .pth (a state dict, or one under params_ema, params or state_dict) or .safetensors. Nothing is executed.

    Raises:
        UserError: the file is missing, damaged, larger than `largest` bytes, or holds something else.
    """
    content = load_file(path, largest)
    try:
        words, state_dict = select_state_dict(content, None)
    except UserError as error:
        raise UserError(f"{plain(path)}: {error}") from error
    size = sum(tensor.numel() * tensor.element_size() for tensor in state_dict.values())
    if size > largest:  # a small file can hold a view that claims to be large
        raise UserError(f"{plain(path)}: its tensors have {size:,} bytes; the limit is {largest:,}")
    options = content.get("network_options")
    if options is not None:
        options = check_network_options(options, plain(path))
    return Weights(Path(path), state_dict, options, words)


def state_dict_for(
    network: nn.Module, weights: str | os.PathLike, param_key: str | None
) -> tuple[str, dict[str, Tensor]]:
    """What a file or a published name holds for a network, under the network's names, and which part of it that is.

    Raises:
        UserError: there is no such file, or it holds no state dict.
    """
    words, state_dict = select_state_dict(load_file(locate(weights), LARGEST), param_key)
    return words, with_names_of(network, state_dict)


def check_network_options(options: object, where: str) -> dict:
    """The options, if they are a type and plain values by name.

    Raises:
        UserError: they are something else; names the place `where` they are.
    """
    if not isinstance(options, dict) or not isinstance(options.get("type"), str):
        raise UserError(f"{where}: its network_options must have a type, got {shown(options)}")
    for name, value in options.items():
        if not isinstance(name, str) or not is_plain(value) or (isinstance(value, int) and abs(value) > _MOST):
            raise UserError(f"{where}: its network_options have {shown(name)}: {shown(value)}")
    return options
