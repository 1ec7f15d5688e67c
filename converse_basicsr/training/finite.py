"""Detects losses, gradients and parameters that are not finite."""

import math

import torch
from torch.nn.utils import get_total_norm


@torch.no_grad()
def not_finite(losses: dict[str, float], optimizers: list[torch.optim.Optimizer]) -> str | None:
    """What is not finite after an iteration, or None: a loss by name, a gradient, or a parameter.

    It waits for the device at most twice.
    """
    for name, loss in losses.items():
        if not math.isfinite(loss):
            return f"the loss {name} is {loss}"
    parameters = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    gradients = [p.grad for p in parameters if p.grad is not None]
    for words, tensors in (("a gradient", gradients), ("a parameter", parameters)):
        if tensors and not get_total_norm(tensors, math.inf).isfinite():
            return f"{words} is not finite"
    return None
