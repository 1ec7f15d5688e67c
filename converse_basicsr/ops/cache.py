"""The filter of an evaluation, cached from one input to the next of the same size."""

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

MAX_BYTES = 16 * 2**20  # per layer; 128 channels at 180 x 180


class FilterCache:
    """One filter bank, with copies of the psf and lam that it was built from.

    The filter is used again only for the same grid and precision, and only while psf and lam hold the same values.
    Values are compared, since an update through `.data` (as in BasicSR's EMA) leaves no other trace. On a CPU that is
    cheap. On other devices it would make the host wait, so nothing is cached there.

    Nothing is cached while gradients of psf or lam may be needed, nor a filter larger than MAX_BYTES. Copies and
    pickles start empty. Threads may share a cache: its entry is replaced as a whole.
    """

    def __init__(self):
        self._entry: tuple | None = None

    def get(self, key: Hashable, psf: Tensor, lam: Tensor, build: Callable[[], Tensor]) -> Tensor:
        """The filter for the key (everything it depends on except psf and lam), cached or built."""
        learning = torch.is_grad_enabled() and (psf.requires_grad or lam.requires_grad)
        if learning or psf.device.type != "cpu":
            return build()
        entry = self._entry
        if entry is not None:
            cached_key, cached_psf, cached_lam, filters = entry
            if key == cached_key and torch.equal(psf, cached_psf) and torch.equal(lam, cached_lam):
                return filters
        with torch.inference_mode(False), torch.no_grad():
            psf, lam = psf.detach().clone(), lam.detach().clone()
            filters = build()
            if filters.nbytes <= MAX_BYTES:
                self._entry = key, psf, lam, filters
        return filters

    def clear(self) -> None:
        self._entry = None

    def __deepcopy__(self, memo: dict) -> "FilterCache":
        return FilterCache()

    def __reduce__(self):
        return FilterCache, ()
