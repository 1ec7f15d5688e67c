"""Whether a graph is being recorded: by torch.compile, or by torch.jit.trace (as counters of FLOPs do)."""

import torch
from torch import Tensor


def is_compiling() -> bool:
    """Whether to keep to plain operations, which can be recorded.

    torch.compiler.is_compiling() is missing before torch 2.3: never true there, so their graphs break.
    """
    return getattr(torch.compiler, "is_compiling", bool)() or torch.jit.is_tracing()


def sizes(x: Tensor) -> tuple[int, ...]:
    """x.shape: integers in a torch.jit trace too, where that holds tensors."""
    return tuple(map(int, x.shape)) if torch.jit.is_tracing() else tuple(x.shape)
