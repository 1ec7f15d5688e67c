"""Whether somebody watches a module, so that it has to be called as it is."""

from torch import nn

KINDS = ("forward_pre", "forward", "backward_pre", "backward")


def is_observed(module: nn.Module) -> bool:
    """Whether the module has hooks (as pruning adds), or its forward was replaced."""
    return "forward" in vars(module) or any(getattr(module, f"_{kind}_hooks") for kind in KINDS)


def has_global_hooks() -> bool:
    """Whether hooks on all modules are registered."""
    return any(getattr(nn.modules.module, f"_global_{kind}_hooks") for kind in KINDS)
