"""Safetensors files: tensors, and a network's type and options in the metadata."""

import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import UserError
from .atomic import replacing

SUFFIX = ".safetensors"
METADATA_KEY = "converse_basicsr"  # its value: {"type": ..., constructor options} as JSON


def is_safetensors(path: str | os.PathLike) -> bool:
    return Path(path).suffix.lower() == SUFFIX


def load_safetensors(path: str | os.PathLike) -> dict:
    """Load a file as `load_file` returns a .pth: a bare state dict, or {'params': ..., 'network_options': ...}.

    Raises:
        UserError: the file is damaged, or its metadata is not JSON.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            state_dict = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise UserError(f"{path} is not a readable safetensors file: {str(error).splitlines()[0]}") from error
    if METADATA_KEY not in metadata:
        return state_dict
    try:
        return {"params": state_dict, "network_options": json.loads(metadata[METADATA_KEY])}
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: its metadata {METADATA_KEY!r} is not JSON") from error


def save_safetensors(state_dict: dict[str, Tensor], options: dict | None, path: str | os.PathLike) -> None:
    """Write a state dict and the network's options atomically.

    Args:
        state_dict: parameters and buffers; they are copied, since the format does not allow shared memory.
        options: {'type': ..., constructor options}, or None.
        path: the file.

    Raises:
        UserError: it cannot be written.
    """
    metadata = {"format": "pt"} | ({METADATA_KEY: json.dumps(options)} if options else {})
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state_dict.items()}
    try:
        with replacing(path) as partial:
            save_file(tensors, partial, metadata)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot write {path}: {reason}") from error
