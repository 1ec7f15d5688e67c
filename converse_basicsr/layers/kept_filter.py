"""The filters of an evaluation, kept from one input to the next of the same size."""

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from ..ops.compiling import is_compiling

MOST_BYTES = 64 * 2**20  # of one layer; 128 channels at 350 x 350


class KeptFilter:
    """One filter bank, and copies of the parameters that it was built from.

    It is used again only for the same grid, precision and device, and only while the parameters still hold the very
    same values: they are compared, since an in-place update through `.data` (as BasicSR's EMA makes) leaves no other
    trace. That is cheap on a CPU, where C*k*k numbers are nothing beside the filter. On other devices a comparison
    would make the host wait, so nothing is kept there.

    Nothing is kept while gradients to the parameters may be asked for, nor a filter bank above MOST_BYTES. Copies and
    pickles of the layer start empty.
    Threads may share it: what is kept is replaced as a whole.

    A graph that is being recorded builds its filters from the parameters, whatever is kept.

    Args:
        in_traces: let a torch.jit trace hold a kept filter as a constant, to count what repeated evaluation costs.
    """

    def __init__(self, in_traces: bool = False):
        self.in_traces = in_traces
        self._kept: tuple | None = None

    def get(self, key: Hashable, weight: Tensor, bias: Tensor, build: Callable[[], Tensor]) -> Tensor:
        """The filters for the key (all that they depend on but the parameters): those kept, if right, else new ones."""
        learning = torch.is_grad_enabled() and (weight.requires_grad or bias.requires_grad)
        recording = is_compiling() and not (self.in_traces and torch.jit.is_tracing())
        if learning or weight.device.type != "cpu" or recording:
            return build()
        kept = self._kept
        if kept is not None:
            kept_key, kept_weight, kept_bias, filters = kept
            if key == kept_key and torch.equal(weight, kept_weight) and torch.equal(bias, kept_bias):
                return filters
        with torch.inference_mode(False), torch.no_grad():
            filters = build()
            if filters.nbytes <= MOST_BYTES:
                self._kept = key, weight.detach().clone(), bias.detach().clone(), filters
        return filters

    def forget(self) -> None:
        """Start empty again."""
        self._kept = None

    def __deepcopy__(self, memo: dict) -> "KeptFilter":
        return KeptFilter()

    def __reduce__(self):
        return KeptFilter, ()
