"""A network with settings that stay the same from image to image."""

import copy
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from ..blur_kernels.choosing import fit_kernel
from ..errors import UserError
from ..inference import TILE_OVERLAP, restore_tiled, restore_x8
from ..inference.calling import call_network, takes_kernel
from ..inference.tiling import count_tiles
from .colour import CHANNELS, calls_for, restore_channels
from .devices import choose_device, half_precision, is_out_of_memory, release_memory
from .memory import Budget
from .sizes import enlarged_to, least_side

LEAST_TILE = 32  # pixels; a smaller one is not tried
_CUT = 0.01  # of a kernel's weight; less is not worth a note
_NEEDS_KERNEL = (
    "needs the blur kernel of the picture: give --kernel (kernel= in Python) FILE.npy, FILE.mat, FILE.png, "
    "gaussian:SIGMA[,SIGMA2,ANGLE] or motion:LENGTH,ANGLE; ConverseNet is the network for an unknown blur"
)
_TILES = "a Converse network uses the whole picture, so the result in tiles differs a little (docs/restore.md)"

Note = Callable[[str], None]
Progress = Callable[[int, int], None]


class Restorer:
    """Restores images with one network: whole or in tiles, as memory allows.

    Called with x (N, C, h, w), float32 in [0, 1] on the CPU, and optionally progress(done, total) per tile; returns
    (N, C, s*h, s*w), float32 on the CPU, neither clipped nor rounded.

    Args:
        network: a module (N, C, h, w) -> (N, C', s*h, s*w), with the attributes in_channels and scale if it has them.
        kernel: None or (kh, kw) with sum 1; the other arguments are those of ``restore``.
        note: called with what the user should know, in words.

    Raises:
        UserError: a setting is not valid or does not fit the network; when called, the image does not.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        kernel: np.ndarray | None = None,
        scale: int | None = None,
        tile: int | None = None,
        overlap: int = TILE_OVERLAP,
        memory: int | str | None = None,
        x8: bool = False,
        amp: bool = False,
        device: str | torch.device | None = None,
        channels: str = "y",
        note: Note = print,
    ):
        _check(tile, overlap, channels)
        self.note = note
        self.device = choose_device(device, network)
        self.network = network.eval().to(self.device)
        self.dtype = next((each.dtype for each in network.parameters()), torch.float32)
        self.in_channels = getattr(network, "in_channels", None)
        self.scale = _scale(network, scale)
        self.kernel = self._fit(kernel)
        self.x8 = x8
        if x8 and kernel is not None and self.scale > 1:
            raise UserError("x8: flips do not fit a blur kernel with scale above 1; leave one of them out")
        self.amp = half_precision(self.device) if amp else None
        self.tile = tile
        self.overlap = overlap
        self.channels = channels
        self.budget = Budget(memory, self.device)
        self.least = least_side(network)
        self._exact: nn.Module | None = None  # the network in float32, once a result was not finite
        self._said: set[str] = set()

    @torch.no_grad()
    def __call__(self, x: Tensor, progress: Progress | None = None) -> Tensor:
        self._said &= {_TILES}

        def run(y: Tensor) -> Tensor:
            restored = self._restore(enlarged_to(y, self.least), steps)
            return restored[..., : self.scale * y.shape[-2], : self.scale * y.shape[-1]]

        steps = _Steps(progress, calls_for(x.shape[1], self.in_channels, self.channels))
        return restore_channels(run, x, self.in_channels, self.channels)

    def _restore(self, x: Tensor, steps: "_Steps") -> Tensor:
        """(N, in_channels, h, w) -> (N, C', s*h, s*w); out of memory halves the tile."""
        tile = self.tile or self.budget.tile(self.network, x.shape, self.scale, self.x8, self.overlap)
        while True:
            if tile is not None and tile >= max(x.shape[-2:]):
                tile = None
            try:
                return self._attempt(x, tile, steps)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                smaller = (tile or max(x.shape[-2:])) // 2
            release_memory(self.device)
            if smaller < LEAST_TILE:
                raise UserError(f"not enough memory for a tile of {2 * smaller}x{2 * smaller} pixels")
            self._say(f"out of memory; continued in tiles of {smaller}")
            tile = self.tile = smaller

    def _attempt(self, x: Tensor, tile: int | None, steps: "_Steps") -> Tensor:
        def once(lq: Tensor, kernel: Tensor | None = None) -> Tensor:
            call = partial(self._call, kernel=kernel, steps=steps)
            if tile is None:
                return call(lq.to(self.device)).cpu()
            return restore_tiled(call, lq, self.scale, tile, overlap, self.device)

        overlap = self.overlap if tile is None or self.overlap < tile else tile // 2
        tiles = count_tiles(x.shape[-2:], tile, overlap) if tile else 1
        steps.begin(tiles * (8 if self.x8 else 1))
        if tiles > 1:
            self._say(f"in {tiles} tiles of {tile}")
            self._say(_TILES)
        return restore_x8(once, x, self.kernel) if self.x8 else once(x, self.kernel)

    def _call(self, patch: Tensor, kernel: Tensor | None, steps: "_Steps") -> Tensor:
        """One call of the network; a result that is not finite is computed again in float32."""
        restored = self._run(self.network, patch, kernel, self.dtype, self.amp)
        if not restored.isfinite().all():
            if self.amp is None and self.dtype.itemsize > 2:
                raise UserError("the network's result is not finite")
            self._say("the result was not finite in half precision; computed again in float32")
            self._exact = self._exact or copy.deepcopy(self.network).float()
            restored = self._run(self._exact, patch, kernel, torch.float32, None)
            if not restored.isfinite().all():
                raise UserError("the network's result is not finite")
        steps.advance()
        return restored

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

    def _say(self, note: str) -> None:
        """A note, once for every image; that tiles change the result, once."""
        if note not in self._said:
            self._said.add(note)
            self.note(note)

    def _fit(self, kernel: np.ndarray | None) -> Tensor | None:
        """The kernel as the network takes it, (1, 1, k, k)."""
        name = type(self.network).__name__
        if not takes_kernel(self.network):
            if kernel is not None:
                raise UserError(f"{name} takes no blur kernel; leave --kernel (kernel=) out")
            return None
        if kernel is None:
            raise UserError(f"{name} {_NEEDS_KERNEL}")
        size = getattr(self.network, "psf_size", None) or max(kernel.shape) // 2 * 2 + 1
        fitted, lost = fit_kernel(kernel, size)
        if lost > _CUT:
            self.note(f"the blur kernel is cut to {size}x{size} taps, which lack {lost:.0%} of its weight")
        return torch.from_numpy(fitted).float()[None, None]


class _Steps:
    """Counts the calls of the network for a progress function; each channel that is restored alone begins again."""

    def __init__(self, progress: Progress | None, parts: int):
        self.progress = progress
        self.parts = parts
        self.part = -1
        self.done = self.total = 0

    def begin(self, total: int) -> None:
        """A part begins, or, after too little memory, begins again."""
        if self.done == self.total:
            self.part += 1
        self.done, self.total = 0, total
        self._report()

    def advance(self) -> None:
        self.done += 1
        self._report()

    def _report(self) -> None:
        if self.progress:
            self.progress(self.part * self.total + self.done, self.parts * self.total)


def _check(tile: int | None, overlap: int, channels: str) -> None:
    if tile is not None and (not isinstance(tile, int) or tile < 1):
        raise UserError(f"tile: must be 1 or more, got {tile!r}")
    if not isinstance(overlap, int) or overlap < 0 or (tile is not None and overlap >= tile):
        limit = "" if tile is None else f", and less than the tile, {tile}"
        raise UserError(f"overlap: must be 0 or more{limit}, got {overlap!r}")
    if channels not in CHANNELS:
        raise UserError(f"channels: must be {' or '.join(CHANNELS)}, got {channels!r}")


def _scale(network: nn.Module, scale: int | None) -> int:
    own = getattr(network, "scale", 1)
    if scale in (None, own):
        return own
    if not isinstance(scale, int) or not 1 <= scale <= 8:
        raise UserError(f"scale: must be an integer from 1 to 8, got {scale!r}")
    if not takes_kernel(network) and hasattr(network, "scale"):
        raise UserError(f"scale: {type(network).__name__} has scale {own}, got {scale}")
    return scale
