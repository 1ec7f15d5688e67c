"""How a tensor is computed: by plain torch operations, our autograd functions or Triton kernels; without autocast."""

import importlib
import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from types import ModuleType

import torch
from torch import Tensor, nn

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # Triton too reads it once
TRANSFORMS = ("fft", "real")
MIN_CAPABILITY = (8, 0)  # of a CUDA device, for Triton


_forced: str | None = None  # one of TRANSFORMS


def needs_plain_operations(*tensors: Tensor) -> bool:
    """Whether to use plain torch operations only, and to cache nothing.

    Our autograd functions do not support any of these: recording a graph (torch.compile, torch.export,
    torch.jit.trace), torch.func transforms (grad, vmap, jvp, ...), forward-mode derivatives, and tensor subclasses such
    as fake tensors.
    """
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._are_functorch_transforms_active()
        or torch.autograd.forward_ad._current_level >= 0
        or any(type(x) not in (Tensor, nn.Parameter) for x in tensors)
    )


def needs_real_transforms(x: Tensor) -> bool:
    """Whether DFTs are to be products of real matrices: on MPS, whose FFTs are wrong for odd sizes (pytorch issue
    126649), and while a graph is exported, since other programs have no complex numbers or only slow DFTs.
    """
    if _forced is not None:
        return _forced == "real"
    return x.device.type == "mps" or torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()


@contextmanager
def transforms(kind: str) -> Iterator[None]:
    """Within this context, DFTs are computed in the given way, in all threads.

    Args:
        kind: 'fft', or 'real' for products of real matrices.
    """
    global _forced
    if kind not in TRANSFORMS:
        raise ValueError(f"transforms must be one of {', '.join(TRANSFORMS)}, got {kind!r}")
    before, _forced = _forced, kind
    try:
        yield
    finally:
        _forced = before


def without_autocast(x: Tensor) -> AbstractContextManager:
    """A context in which autocast leaves operations on x's device alone (the meta device has no autocast)."""
    return nullcontext() if x.device.type == "meta" else torch.autocast(x.device.type, enabled=False)


def side_lengths(x: Tensor) -> tuple[int, int]:
    """(h, w) of x. torch.jit.trace has tensors there: its exporter to ONNX needs them, others integers."""
    size = tuple(x.shape[-2:])
    return tuple(map(int, size)) if torch.jit.is_tracing() and not torch.onnx.is_in_onnx_export() else size


def triton_kernels(x: Tensor) -> ModuleType | None:
    """The package triton_kernels if x can use it, else None.

    It serves float32 and complex64 on a CUDA device that Triton supports. On a CPU it serves every dtype in Triton's
    interpreter (TRITON_INTERPRET=1), which is very slow and exists for tests. CONVERSE_TRITON=0 turns it off.
    """
    if os.environ.get("CONVERSE_TRITON") == "0":
        return None
    if x.device.type == "cpu":
        return _load() if INTERPRETED else None
    if x.device.type != "cuda" or x.dtype not in (torch.float32, torch.complex64):
        return None
    return _load() if _can_compile(x.device) else None


@lru_cache(maxsize=1)
def _load() -> ModuleType | None:
    try:
        return importlib.import_module(".triton_kernels", __package__)
    except ImportError:
        return None


@lru_cache(maxsize=64)
def _can_compile(device: torch.device) -> bool:
    """Triton builds its driver with a C compiler and Python's headers, which may be missing."""
    if _load() is None or torch.cuda.get_device_capability(device) < MIN_CAPABILITY:
        return False
    try:
        _load().start_driver()
    except Exception as error:  # Triton has no common exception type
        warnings.warn(f"Triton does not work here, plain torch operations are used: {error}", stacklevel=2)
        return False
    return True
