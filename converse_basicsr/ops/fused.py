"""Whether a tensor goes through the Triton kernels or through plain torch operations."""

import importlib
import os
import warnings
from functools import lru_cache
from types import ModuleType

import torch
from torch import Tensor

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # Triton too reads it once
LEAST_CAPABILITY = (8, 0)  # of a CUDA device: the least that Triton supports


def fused(x: Tensor) -> ModuleType | None:
    """The module `kernels` if x is to go through it, else None.

    That is: float32 and complex64 on a CUDA device for which Triton can compile, and everything on a CPU in Triton's
    interpreter (TRITON_INTERPRET=1), which is there for tests and is very slow. CONVERSE_TRITON=0 says never.
    """
    if x.device.type == "cpu":
        return _load() if INTERPRETED and _wanted() else None
    if x.device.type != "cuda" or x.dtype not in (torch.float32, torch.complex64):
        return None
    return _load() if _wanted() and _can_compile(x.device) else None


def _wanted() -> bool:
    return os.environ.get("CONVERSE_TRITON") != "0"


@lru_cache(maxsize=1)
def _load() -> ModuleType | None:
    try:
        return importlib.import_module(".kernels", __package__)
    except ImportError:
        return None


@lru_cache(maxsize=64)
def _can_compile(device: torch.device) -> bool:
    """Triton builds its driver by a C compiler, against Python's headers: where it cannot, torch still can."""
    if _load() is None or torch.cuda.get_device_capability(device) < LEAST_CAPABILITY:
        return False
    try:
        _load().start_driver()
    except Exception as error:  # Triton has no common one; whatever it is, it is said and the result is the same
        warnings.warn(f"Triton does not work here, plain torch operations are used: {error}", stacklevel=2)
        return False
    return True
