"""Restoration tile by tile: the device holds only one tile at a time."""

import math
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from ..arguments import check_count

TILE_OVERLAP = 16  # default, in pixels of the input


class Span(NamedTuple):
    """One tile along one axis: its slices of the input and of the output, and its weight at each output pixel."""

    source: slice
    target: slice
    weight: Tensor


@torch.no_grad()
def restore_tiled(
    restore: Callable[[Tensor], Tensor],
    lq: Tensor,
    scale: int,
    tile: int,
    overlap: int,
    device: torch.device | str | None = None,
) -> Tensor:
    """Restore overlapping tiles one by one and blend them.

    All tiles have the same size and are spread evenly from border to border; neighbours share at least ``overlap``
    pixels. An axis shorter than the tile is not split. The weights sum to 1 at every pixel. Where two tiles share n
    pixels, the weights change linearly from one tile to the other over the middle n/2 pixels; the n/4 pixels nearest to
    a tile's border, where its surroundings are missing, are not used.

    A network with a receptive field within n/4 pixels gives the same result as on the whole image. Converse2D uses the
    whole image, so its tiles are only close to that result (docs/inference.md).

    Args:
        restore: the network, (N, C, h, w) -> (N, C', scale*h, scale*w).
        lq: (N, C, H, W) on any device.
        scale: the upscaling factor of the network, >= 1.
        tile: side of a tile in pixels of lq, >= 1.
        overlap: neighbours share at least this many pixels of lq, 0 <= overlap < tile.
        device: each tile is moved to this device first; None: the device of lq.

    Returns:
        (N, C', scale*H, scale*W) on the CPU, without gradients, float32 (float64 if the network returns that).

    Raises:
        ValueError: an argument is out of range, or the network returns a wrong shape.
    """
    _check(lq, scale, tile, overlap)
    device = lq.device if device is None else device
    result = None
    for row, column in product(*(_split(size, scale, tile, overlap) for size in lq.shape[-2:])):
        patch = lq[..., row.source, column.source].to(device)
        restored = restore(patch)
        _check_restored(restored, patch, scale)
        restored = restored.to("cpu", torch.promote_types(restored.dtype, torch.float32))
        if result is None:
            result = restored.new_zeros(*restored.shape[:2], scale * lq.shape[-2], scale * lq.shape[-1])
        weight = torch.outer(row.weight, column.weight).to(restored.dtype)
        result[..., row.target, column.target] += weight * restored
    return result


def count_tiles(size: tuple[int, int], tile: int, overlap: int) -> int:
    """How many tiles restore_tiled makes of an image (h, w)."""
    return math.prod(len(_split(side, 1, tile, overlap)) for side in size)


def _split(size: int, scale: int, tile: int, overlap: int) -> list[Span]:
    """The tiles along an axis of the given size."""
    tile = min(tile, size)
    gaps = -(-(size - tile) // (tile - overlap)) if size > tile else 0
    starts = [i * (size - tile) // gaps for i in range(gaps + 1)] if gaps else [0]
    targets = [slice(scale * start, scale * (start + tile)) for start in starts]
    return [
        Span(slice(start, start + tile), target, weight)
        for start, target, weight in zip(starts, targets, _weights(targets), strict=True)
    ]


def _weights(targets: list[slice]) -> list[Tensor]:
    """A partition of unity: for each tile a (length,) tensor in float64."""
    weights = [torch.ones(target.stop - target.start, dtype=torch.float64) for target in targets]
    for i in range(1, len(targets)):
        shared = targets[i - 1].stop - targets[i].start
        position = (torch.arange(shared, dtype=torch.float64) + 0.5) / max(shared, 1)
        ramp = (2 * position - 0.5).clamp(0, 1)
        weights[i][:shared] *= ramp
        weights[i - 1][len(weights[i - 1]) - shared :] *= ramp.flip(0)
    total = torch.zeros(targets[-1].stop, dtype=torch.float64)  # differs from 1 where three tiles or more meet
    for target, weight in zip(targets, weights, strict=True):
        total[target] += weight
    return [weight / total[target] for target, weight in zip(targets, weights, strict=True)]


def _check(lq: Tensor, scale: int, tile: int, overlap: int) -> None:
    if lq.dim() != 4 or not lq.is_floating_point():
        raise ValueError(f"lq must be a floating-point (N, C, H, W) tensor, got {lq.dtype} {tuple(lq.shape)}")
    check_count("scale", scale)
    check_count("tile", tile)
    check_count("overlap", overlap, least=0)
    if overlap >= tile:
        raise ValueError(f"overlap must be smaller than tile ({tile}), got {overlap}")


def _check_restored(restored: Tensor, patch: Tensor, scale: int) -> None:
    n, _, h, w = patch.shape
    if restored.dim() != 4 or restored.shape[0] != n or restored.shape[-2:] != (scale * h, scale * w):
        raise ValueError(
            f"restore must return ({n}, C, {scale * h}, {scale * w}) for a tile {tuple(patch.shape)} "
            f"and scale {scale}, got {tuple(restored.shape)}"
        )
