"""GELU after a module, without a second copy of a large result where nothing can tell."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.dispatch import needs_plain_operations
from .hooks import has_global_hooks, is_observed


def gelu_after(module: nn.Module, x: Tensor) -> Tensor:
    """GELU(module(x)), in place unless a gradient, a hook or x itself needs the module's result."""
    out = module(x)
    seen = has_global_hooks() or any(map(is_observed, module.modules()))
    if seen or torch.is_grad_enabled() or needs_plain_operations(out) or _share_memory(x, out):
        return F.gelu(out)
    return torch.ops.aten.gelu_(out)


def _share_memory(a: Tensor, b: Tensor) -> bool:
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def gelu_gradient(grad: Tensor, x: Tensor, approximate: str, out: Tensor) -> Tensor:
    """The gradient of GELU at x; without a gradient of its own, in place of out (grad or x)."""
    if torch.is_grad_enabled():
        return torch.ops.aten.gelu_backward(grad, x, approximate=approximate)
    return torch.ops.aten.gelu_backward.grad_input(grad, x, approximate=approximate, grad_input=out)
