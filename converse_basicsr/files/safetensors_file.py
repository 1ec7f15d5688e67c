"""Safetensors files: tensors, and a network's type and options in the metadata."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import UserError
from .atomic import replacing

SUFFIX = ".safetensors"
METADATA_KEY = "converse_basicsr"  # its value: {"type": ..., constructor options} as JSON
OPTIONS_TENSOR = "network_options"  # the same JSON as a tensor of bytes, for programs that see only the tensors


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
    tensor = state_dict.pop(OPTIONS_TENSOR, None)
    if METADATA_KEY in metadata:
        return {"params": state_dict, "network_options": _parsed(metadata[METADATA_KEY], path)}
    if tensor is not None:
        return {"params": state_dict, "network_options": options_in(tensor, path)}
    return state_dict


def options_in(tensor: Tensor, path: str | os.PathLike) -> object:
    """What OPTIONS_TENSOR holds.

    Raises:
        UserError: it is not JSON in a tensor of bytes.
    """
    if tensor.dtype != torch.uint8:
        raise UserError(f"{path}: its tensor {OPTIONS_TENSOR} must be uint8, got {tensor.dtype}")
    return _parsed(tensor.cpu().numpy().tobytes(), path)


def _parsed(text: str | bytes, path: str | os.PathLike) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: its options are not JSON") from error


def save_safetensors(
    state_dict: Mapping[str, Tensor], options: dict | None, path: str | os.PathLike, with_tensor: bool = False
) -> None:
    """Write a state dict and the network's options atomically.

    Args:
        state_dict: parameters and buffers; they are copied, since the format does not allow shared memory.
        options: {'type': ..., constructor options}, or None.
        path: the file.
        with_tensor: store the options as OPTIONS_TENSOR too.

    Raises:
        UserError: it cannot be written.
    """
    text = json.dumps(options)
    metadata = {"format": "pt"} | ({METADATA_KEY: text} if options else {})
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state_dict.items()}
    if with_tensor:
        tensors[OPTIONS_TENSOR] = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
    try:
        with replacing(path) as partial:
            partial.write_bytes(save(tensors, metadata))
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:  # also: a tensor that the format cannot hold
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot write {path}: {reason}") from error
