"""When a block may do the work of its modules in their place, in fewer passes."""

import torch
from torch import Tensor, nn

from ..ops.compiling import is_compiling


def is_plain(*modules: nn.Module) -> bool:
    """Whether nobody else has a hand in the modules: by hooks (as pruning has), or by classes of their own."""
    return not any(
        module._forward_pre_hooks or module._forward_hooks or module._backward_pre_hooks or module._backward_hooks
        for module in modules
    ) and all(type(module).__module__.startswith(__package__) for module in modules)


def has_cpu_form(x: Tensor, *modules: nn.Module) -> bool:
    """Whether x may go through what is written for a CPU: in float32 or float64, where no graph is recorded."""
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64) or is_compiling() or _autocasts():
        return False
    return is_plain(*modules)


def _autocasts() -> bool:
    if torch.__version__ < (2, 4):
        return torch.is_autocast_cpu_enabled()
    return torch.is_autocast_enabled("cpu")
