"""Calls of a network whose result must be finite, which half precision does not always give."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..inference.calling import call_network
from .devices import half_precision

_REPEATED = "the result was not finite in half precision; computed again in float32"


class FiniteCall:
    """Calls a network; a result that is not finite is computed again in float32, and that is said.

    Args:
        network: on the device.
        scale: its upscaling factor, or the decimation factor that it is given with the kernel.
        device: of the network.
        amp: compute in 16 bits where autocast allows.
        say: called with the note.
    """

    def __init__(self, network: nn.Module, scale: int, device: torch.device, amp: bool, say: Callable[[str], None]):
        self.network = network
        self.scale = scale
        self.device = device
        self.amp = half_precision(device) if amp else None
        self.say = say
        self.dtype = next((each.dtype for each in network.parameters()), torch.float32)
        self._exact: nn.Module | None = None  # the network in float32, once a result was not finite

    def __call__(self, patch: Tensor, kernel: Tensor | None) -> Tensor:
        """The result for a patch (N, C, h, w) on the device: (N, C', s*h, s*w), float32.

        Args:
            kernel: (1, 1, k, k), or None.

        Raises:
            UserError: the patch does not fit the network, or the result is not finite in float32 either.
        """
        restored = self._run(self.network, patch, kernel, self.dtype, self.amp)
        if restored.isfinite().all():
            return restored
        if self.amp or self.dtype.itemsize == 2:
            self.say(_REPEATED)
            restored = self._run(self._in_float32(), patch, kernel, torch.float32, None)
            if restored.isfinite().all():
                return restored
        raise UserError("the network's result is not finite")

    def _run(
        self, network: nn.Module, patch: Tensor, kernel: Tensor | None, dtype: torch.dtype, amp: torch.dtype | None
    ) -> Tensor:
        if kernel is not None:
            kernel = kernel.to(self.device, dtype).expand(patch.shape[0], -1, -1, -1)
        try:
            with torch.autocast(self.device.type, amp, enabled=amp is not None):
                return call_network(network, patch.to(dtype), kernel, self.scale).float()
        except ValueError as error:  # an image that does not fit the network
            raise UserError(str(error)) from error

    def _in_float32(self) -> nn.Module:
        if self.dtype.itemsize > 2:
            return self.network
        self._exact = self._exact or copy.deepcopy(self.network).float()
        return self._exact
