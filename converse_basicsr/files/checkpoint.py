"""Checkpoint files: finding the state dict in them, and writing them atomically."""

import os
import time
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from .atomic import replacing

LEVELS = ("params_ema", "params", "state_dict")
ATTEMPTS = 3


def load_file(path: str | os.PathLike) -> Any:
    """Load a .pth or .state file onto the CPU, tensors and plain containers only (weights_only).

    Raises:
        UserError: the file is missing, is damaged, or holds other objects; names the file.
    """
    if not os.path.isfile(path):
        raise UserError(f"no such checkpoint: {path}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many exception types for a damaged file
        reason = "it is empty" if os.path.getsize(path) == 0 else "damaged, or it holds more than tensors and numbers"
        raise UserError(f"{path} is not a readable checkpoint: {reason}") from error  # torch's advice is unsafe


def select_state_dict(checkpoint: dict, param_key: str | None = "params") -> tuple[str, dict]:
    """Find the state dict in a loaded file.

    Args:
        checkpoint: a state dict, or a dict that holds one under 'params_ema', 'params' or 'state_dict'.
        param_key: the key to prefer; None takes the first of these that exists.

    Returns:
        A description of what was taken, and the state dict without the prefix 'module.' in its keys.

    Raises:
        UserError: there is no state dict.
    """
    if not isinstance(checkpoint, dict):
        raise UserError(f"a checkpoint must hold a state dict, got {type(checkpoint).__name__}")
    found = [level for level in (param_key, *LEVELS) if isinstance(checkpoint.get(level), dict)]
    state_dict = checkpoint[found[0]] if found else checkpoint
    if not state_dict or not all(isinstance(value, torch.Tensor) for value in state_dict.values()):
        raise UserError(f"the checkpoint holds no state dict; its keys: {', '.join(map(str, list(checkpoint)[:8]))}")
    words = f"param key [{found[0]}]" if found else "a bare state dict"
    return words, {key.removeprefix("module."): value for key, value in state_dict.items()}


def save_file(content: Any, path: str | os.PathLike) -> None:
    """torch.save to a file beside the path, then rename: the path never holds a partial checkpoint.

    Raises:
        UserError: three attempts failed; an existing file at the path is unchanged.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with replacing(path) as partial:
                torch.save(content, partial)
            return
        except (OSError, RuntimeError) as error:
            if attempt == ATTEMPTS:
                raise UserError(f"cannot write {path}: {error}") from error
            time.sleep(1)


def latest_state(folder: str | os.PathLike) -> str | None:
    """The training state of the highest iteration in the folder, or None."""
    states = [path for path in Path(folder).glob("*.state") if path.stem.isdigit()]
    return str(max(states, key=lambda path: int(path.stem))) if states else None
