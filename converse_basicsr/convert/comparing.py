"""By how much a new layer differs from the one that it replaces."""

import copy

import torch
from torch import nn

SIDE = 12  # of the noise


@torch.no_grad()
def difference(old: nn.Module, new: nn.Module, channels: int) -> float:
    """RMS of the difference of both results for normal noise, relative to the old one's RMS; in float32 or better."""
    like = next(new.parameters())
    dtype = torch.promote_types(like.dtype, torch.float32)
    noise = torch.randn(1, channels, SIDE, SIDE + 1, generator=torch.Generator().manual_seed(0), dtype=dtype)
    before, after = (copy.deepcopy(module).to(dtype)(noise.to(like.device)) for module in (old, new))
    scale = before.square().mean().sqrt()
    return float((after - before).square().mean().sqrt() / scale.clamp(min=torch.finfo(dtype).tiny))
