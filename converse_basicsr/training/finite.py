"""Detects losses, gradients and parameters that are not finite."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm


@torch.no_grad()
def not_finite(losses: dict[str, float], optimizers: list[torch.optim.Optimizer]) -> str | None:
    """What is not finite after an iteration, or None: a logged value by name, a gradient, or a parameter.

    A skipped step has no gradients. It waits for the device at most twice.
    """
    for name, value in losses.items():
        if not math.isfinite(value):
            return f"the loss {name} is {value}" if name.startswith("l_") else f"{name} is {value}"
    parameters = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    gradients = [p.grad for p in parameters if p.grad is not None]
    for words, tensors in (("a gradient", gradients), ("a parameter", parameters)):
        if tensors and not get_total_norm(tensors, math.inf).isfinite():
            return f"{words} is not finite"
    return None


def skipped_step(model: Any) -> bool:
    """Whether the model's last step was skipped, as RestorationModel's with fp16 if gradients are not finite."""
    return getattr(getattr(model, "optimiser_step", None), "skipped", False)


class OwnLosses:
    """The losses of this process in an iteration; a model logs only the means over all processes.

    Args:
        model: a model of BasicSR; its losses are the modules cri_*.
    """

    def __init__(self, model: Any):
        self.losses: list[Tensor] = []
        for name, module in vars(model).items():
            if name.startswith("cri_") and isinstance(module, nn.Module):
                module.register_forward_hook(self._note)

    def forget(self) -> None:
        """Forget those of the last iteration."""
        self.losses = []

    def are_finite(self) -> bool:
        return all(bool(loss.isfinite().all()) for loss in self.losses)

    def _note(self, module: nn.Module, inputs: tuple, output: Any) -> None:
        outputs = output if isinstance(output, tuple) else (output,)
        self.losses += [loss.detach() for loss in outputs if loss is not None]
