"""A network with settings that stay the same from image to image."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError
from ..inference import TILE_OVERLAP, restore_tiled, restore_x8
from ..inference.consistency import build_consistency
from ..inference.sizes import enlarged_to, least_side
from ..inference.tiling import count_tiles
from ..onnx_files.running import OnnxNetwork
from .colour import calls_for, restore_channels
from .devices import choose_device, is_out_of_memory, release_memory
from .finite_call import FiniteCall
from .memory import CONSISTENCY, Budget
from .progress import Progress, Steps
from .settings import check_settings, fixed_size, kernel_for, margin_for, scale_of

LEAST_TILE = 32  # pixels; a smaller one is not tried
_TILES = "a tile lacks its surroundings, so the result differs a little from one without tiles (docs/restore.md)"

Note = Callable[[str], None]


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
        borders: str | None = None,
        scale: int | None = None,
        tile: int | None = None,
        overlap: int = TILE_OVERLAP,
        memory: int | str | None = None,
        x8: bool = False,
        consistency: str | np.ndarray | Tensor | None = None,
        consistency_lam: float | None = None,
        amp: bool = False,
        device: str | torch.device | None = None,
        channels: str = "y",
        note: Note = print,
    ):
        check_settings(tile, overlap, channels)
        self.note = note
        self.device = choose_device(device, network)
        self.network = network.eval().to(self.device)
        self.in_channels = getattr(network, "in_channels", None)
        self.scale = scale_of(network, scale)
        self.kernel = kernel_for(network, kernel, note)
        self.margin = margin_for(network, self.kernel, borders)
        self.x8 = x8
        self.fixed_size = fixed_size(network)
        if x8 and self.fixed_size and self.fixed_size[0] != self.fixed_size[1]:
            size = "{}x{}".format(*self.fixed_size)
            raise UserError(f"x8: transposes images, so it needs a square size; {network.name} takes {size}")
        if x8 and kernel is not None and self.scale > 1:
            raise UserError("x8: flips do not fit a blur kernel with scale above 1; leave one of them out")
        if consistency is None and consistency_lam is not None:
            raise UserError("consistency_lam: has no effect without consistency")
        self.consistency = None if consistency is None else build_consistency(consistency, self.scale, consistency_lam)
        if amp and isinstance(network, OnnxNetwork):
            raise UserError("amp: has no effect on an ONNX file; export it with --half")
        self.call = FiniteCall(self.network, self.scale, self.device, amp, self._say)
        self.tile = tile
        self.overlap = overlap
        self.channels = channels
        self.budget = Budget(memory, self.device)
        self.least = least_side(network)
        self._said: set[str] = set()

    @torch.no_grad()
    def __call__(self, x: Tensor, progress: Progress | None = None) -> Tensor:
        self._said &= {_TILES}

        def run(y: Tensor) -> Tensor:
            continued = F.pad(y, [self.margin] * 4, "replicate") if self.margin else y
            restored = self._restore(enlarged_to(continued, self.least), steps)
            start, (height, width) = self.scale * self.margin, y.shape[-2:]
            return restored[..., start : start + self.scale * height, start : start + self.scale * width]

        steps = Steps(progress, calls_for(x.shape[1], self.in_channels, self.channels))
        restored = restore_channels(run, x, self.in_channels, self.channels)
        return self._consistent(restored, x) if self.consistency else restored

    def _consistent(self, restored: Tensor, x: Tensor) -> Tensor:
        """The result of the consistency step, on a GPU if its memory suffices."""
        if self.device.type == "cuda":
            try:
                return self.consistency(restored, x, self.device)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            release_memory(self.device)
        return self.consistency(restored, x)

    def _restore(self, x: Tensor, steps: Steps) -> Tensor:
        """(N, in_channels, h, w) -> (N, C', s*h, s*w); out of memory halves the tile."""
        after = CONSISTENCY if self.consistency else 0
        tile = self.tile
        if tile is None and self.fixed_size is None:
            tile = self.budget.tile(self.network, x.shape, self.scale, self.x8, self.overlap, after)
        if tile is not None and self.tile is None and x.shape[0] > 1:  # the images one by one may need no tiles
            steps.parts *= x.shape[0]
            return torch.cat([self._restore(each, steps) for each in x.split(1)])
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

    def _attempt(self, x: Tensor, tile: int | None, steps: Steps) -> Tensor:
        def once(lq: Tensor, kernel: Tensor | None = None) -> Tensor:
            def call(patch: Tensor) -> Tensor:
                restored = self.call(patch, kernel)
                steps.advance()
                return restored

            if tile is None:
                return call(lq.to(self.device)).cpu()
            return restore_tiled(call, lq, self.scale, tile, overlap, self.device)

        overlap = self.overlap if tile is None or self.overlap < tile else tile // 2
        tiles = count_tiles(x.shape[-2:], tile, overlap) if tile else 1
        steps.begin(tiles * (8 if self.x8 else 1))
        restored = restore_x8(once, x, self.kernel) if self.x8 else once(x, self.kernel)
        if tiles > 1:
            self._say(f"in {tiles} tiles of {tile}")
            self._say(_TILES)
        return restored

    def _say(self, note: str) -> None:
        """A note, once for every image; that tiles change the result, once."""
        if note not in self._said:
            self._said.add(note)
            self.note(note)
