"""Devices: choosing one, its half precision, and the errors that mean that its memory is full."""

import torch
from torch import nn

from ..errors import UserError, shown

_FULL = ("not enough memory", "DefaultCPUAllocator", "out of memory", "can't allocate memory", "bad_alloc")


def default_device() -> str:
    """'cuda' if there is such a device, else 'cpu'."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def choose_device(device: str | torch.device | None, network: nn.Module) -> torch.device:
    """The device of that name; None: where the network's parameters are.

    Raises:
        UserError: there is no such device here.
    """
    if device is None:
        return next((each.device for each in (*network.parameters(), *network.buffers())), torch.device("cpu"))
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"device: must be cpu, cuda, cuda:N or mps, got {shown(str(device))}") from error
    cuda = torch.cuda.device_count()
    available = {"cpu": True, "cuda": (chosen.index or 0) < cuda, "mps": torch.backends.mps.is_available()}
    if chosen.type not in available:
        raise UserError(f"device: must be cpu, cuda, cuda:N or mps, got {shown(str(device))}")
    if not available[chosen.type]:
        here = ["cpu", *(f"cuda:{i}" for i in range(cuda)), *(["mps"] if available["mps"] else [])]
        raise UserError(f"device: {chosen} is not available; here are {', '.join(here)}")
    return chosen


def half_precision(device: torch.device) -> torch.dtype:
    """The 16-bit type for autocast: bfloat16, or float16 on a GPU without it."""
    has_bfloat16 = device.type != "cuda" or torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.bfloat16 if has_bfloat16 else torch.float16


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception means that an allocation failed, on any device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _FULL)


def release_memory(device: torch.device) -> None:
    """Return cached blocks to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
