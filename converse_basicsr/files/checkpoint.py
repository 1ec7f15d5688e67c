"""Checkpoint files: finding the state dict in them, and writing them atomically."""

import os
import time
import warnings
import zipfile
from typing import Any

import torch
from torch import nn

from ..errors import UserError, did_you_mean
from .atomic import replacing
from .safetensors_file import is_safetensors, load_safetensors

LEVELS = ("params_ema", "params", "state_dict")
ATTEMPTS = 3
_SHOWN = 3  # keys in a message
_KINDS = "such are .pth files (of torch.save) and .safetensors files; basicsr restore also takes .onnx files"


def load_file(path: str | os.PathLike, largest: int | None = None) -> Any:
    """Load a .pth, .state or .safetensors file onto the CPU: tensors and plain containers, nothing is executed.

    Args:
        path: the file.
        largest: refuse a file with more bytes than this, compressed or not; None: no limit.

    Raises:
        UserError: the file is missing, too large, damaged, or holds other objects; names the file.
    """
    if not os.path.isfile(path):
        raise UserError(f"no such checkpoint: {path}")
    try:
        size = _size(path)
        if size == 0:
            raise UserError(f"{path} is empty, not a checkpoint")
        if largest is not None and size > largest:
            raise UserError(f"{path} has {size:,} bytes; the limit is {largest:,}")
        if is_safetensors(path):
            return load_safetensors(path)
        if not _may_be_torchs(path):
            raise UserError(f"{path} is not a file of weights; {_KINDS}")
        damaged = _damaged_part(path)
        if damaged:
            raise UserError(f"{path} is damaged: its part {damaged} has a wrong checksum")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # an error follows if it cannot be read
            return torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # torch.load raises many exception types for a damaged file
        raise UserError(f"{path} {_why(error)}") from error


def select_state_dict(checkpoint: dict, param_key: str | None = "params") -> tuple[str, dict]:
    """Find the state dict in a loaded file.

    Args:
        checkpoint: a state dict, or a dict that holds one under 'params_ema', 'params' or 'state_dict'.
        param_key: the key to prefer; if it is missing, or None, the first of these that exists is taken.

    Returns:
        A description of what was taken, and the state dict without the prefix 'module.' in its keys.

    Raises:
        UserError: there is no state dict, or the checkpoint lacks a param_key that is none of these.
    """
    if not isinstance(checkpoint, dict):
        raise UserError(f"a checkpoint must hold a state dict, got {type(checkpoint).__name__}")
    if "optimizers" in checkpoint:
        raise UserError("this is a training state; the weights are in models/net_*.pth beside its folder")
    if param_key not in (None, *LEVELS, *checkpoint):
        raise UserError(f"the checkpoint has no {param_key!r}{did_you_mean(param_key, checkpoint)}")
    found = [level for level in (param_key, *LEVELS) if isinstance(checkpoint.get(level), dict)]
    state_dict = checkpoint[found[0]] if found else checkpoint
    if not state_dict or not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state_dict.items()):
        raise UserError(f"the checkpoint holds no state dict; its keys: {', '.join(map(str, list(checkpoint)[:8]))}")
    words = f"param key [{found[0]}]" if found else "a bare state dict"
    return words, {key.removeprefix("module."): value for key, value in state_dict.items()}


def misfit(network: nn.Module, state_dict: dict[str, torch.Tensor], strict: bool = True) -> str:
    """What keeps a state dict from being loaded, in words; '' if it fits.

    Args:
        network: the network.
        state_dict: its new parameters and buffers.
        strict: False allows missing and unexpected keys and other shapes, which are then not loaded.
    """
    expected = network.state_dict()
    problems = {
        "missing": [name for name in expected if name not in state_dict],
        "unexpected": [name for name in state_dict if name not in expected],
        "with another shape": [
            f"{name} ({tuple(state_dict[name].shape)}, the network has {tuple(value.shape)})"
            for name, value in expected.items()
            if name in state_dict and state_dict[name].shape != value.shape
        ],
    }
    unusable = [name for name in expected if name in state_dict and not _is_usable(state_dict[name])]
    problems = {**(problems if strict else {}), "without finite real numbers": unusable}
    return "; ".join(
        f"{len(names)} keys {words}: {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
        for words, names in problems.items()
        if names
    )


def _is_usable(value: torch.Tensor) -> bool:
    plain = value.layout is torch.strided and not (value.is_quantized or value.is_meta or value.is_complex())
    return plain and bool(value.isfinite().all())


def save_file(content: Any, path: str | os.PathLike) -> None:
    """torch.save to a file beside the path, flush, then rename: the path never holds a partial checkpoint.

    Raises:
        UserError: three attempts failed; an existing file at the path is unchanged.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with replacing(path) as partial, partial.open("wb") as file:
                torch.save(content, file)
            return
        except (OSError, RuntimeError) as error:
            if attempt == ATTEMPTS:
                reason = getattr(error, "strerror", None) or error.__cause__ or error.__context__ or error
                raise UserError(f"cannot write {path}: {reason}; earlier files are unchanged") from error
            time.sleep(1)


def _size(path: str | os.PathLike) -> int:
    """Bytes of a file; of a compressed archive, those of its content if they are more."""
    size = os.path.getsize(path)
    if is_safetensors(path) or not zipfile.is_zipfile(path):
        return size
    with zipfile.ZipFile(path) as archive:
        return max(size, sum(part.file_size for part in archive.infolist()))


def _may_be_torchs(path: str | os.PathLike) -> bool:
    """Whether a file begins as those of torch.save do: as an archive, or before torch 1.6 as a pickle."""
    with open(path, "rb") as file:
        return file.read(1) in (b"P", b"\x80")


def _damaged_part(path: str | os.PathLike) -> str | None:
    """The name of a part whose checksum is wrong, which torch.load does not check; None if all are right."""
    if not zipfile.is_zipfile(path):
        return None  # torch's format before 1.6
    with zipfile.ZipFile(path) as archive:
        return archive.testzip()


def _why(error: Exception) -> str:
    text = str(error)
    if "weights_only" in text or "Weights only" in text:  # torch advises to execute the file: never repeat that
        return "holds objects other than tensors and plain containers, or is damaged; it was not loaded"
    if " " not in text:  # such as a KeyError with a byte that is no code of pickle
        return "is not a checkpoint, or is damaged"
    reason = text.splitlines()[0].partition(". ")[0].rstrip(".")  # torch explains more
    return f"is not a readable checkpoint: {reason}"
