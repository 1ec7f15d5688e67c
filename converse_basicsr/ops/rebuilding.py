"""A tensor that the backward builds again instead of keeping it: large, and cheap to build."""

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

LEAST_BYTES = 2 * 2**20  # below that, building takes longer than it is worth


def rebuilt_in_backward(tensor: Tensor, build: Callable[[], Tensor]) -> AbstractContextManager:
    """A context in which operations do not save the tensor for their backward: it calls build() instead.

    Derivatives of every order stay the same: autograd attaches the tensor's history to what build returns. A tensor
    that needs no gradient, or that is smaller than LEAST_BYTES, is saved as usual.

    Args:
        tensor: the result of build().
        build: returns the same values each time.
    """
    if not (torch.is_grad_enabled() and tensor.requires_grad and tensor.nbytes >= LEAST_BYTES):
        return nullcontext()
    original = weakref.ref(tensor)  # the hooks live as long as the graph

    def pack(saved: Tensor) -> Tensor | None:
        return None if saved is original() else saved

    def unpack(saved: Tensor | None) -> Tensor:
        if saved is not None:
            return saved
        with torch.no_grad():
            return build()

    return saved_tensors_hooks(pack, unpack)
