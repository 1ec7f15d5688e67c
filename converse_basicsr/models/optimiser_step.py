"""The step of an optimiser: in mixed precision, with clipped gradients."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
LEAST_SCALE = 2.0**-14  # of a loss; smaller ones would make gradients of 1 vanish in float16


class OptimiserStep:
    """Any number of backward passes, whose gradients are added, and one step.

    With fp16, the loss is scaled so that small gradients do not vanish (torch.amp.GradScaler). If gradients are then
    not finite, the step is skipped: parameters and moments stay, the gradients are dropped, and the scale is halved.
    Below LEAST_SCALE the gradients stay, so that whoever checks them finds that they are not finite.

    Args:
        optimizer: its parameters are float32.
        device: of the parameters.
        amp: 'bf16', 'fp16', or None for float32.
        clip_grad_norm: the gradients are scaled down to this norm, of all of them together; None: they are not.

    Attributes:
        scaler: None without fp16.
        skipped: whether the last step was skipped.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, device: torch.device, amp: str | None, clip_grad_norm: float | None
    ):
        self.optimizer, self.device, self.dtype, self.limit = optimizer, device, DTYPES.get(amp), clip_grad_norm
        self.scaler = torch.amp.GradScaler(device.type) if amp == "fp16" else None
        self.skipped = False

    def autocast(self) -> AbstractContextManager:
        """The context for the network."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)

    def backward(self, loss: Tensor) -> None:
        (self.scaler.scale(loss) if self.scaler else loss).backward()

    def finish(self) -> dict[str, float]:
        """Make the step; return grad_norm (before clipping) and loss_scale (after the step), if they are used."""
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        noted = {}
        if self.limit is not None:
            parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
            noted["grad_norm"] = clip_grad_norm_(parameters, self.limit).item()
        if self.scaler is None:
            self.optimizer.step()
            return noted
        before = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        scale = self.scaler.get_scale()
        self.skipped = scale < before
        if self.skipped:
            noted.pop("grad_norm", None)
            if scale >= LEAST_SCALE:
                self.optimizer.zero_grad()
        return {**noted, "loss_scale": scale}
