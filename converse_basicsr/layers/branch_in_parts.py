"""x + gain * branch(x) without gradients, in parts: the branch's features, twice as many as x has, are never whole.

From the operator on, a branch with Converse2D is a sum over channels: groups of channels are expanded, solved,
projected and added one after the other. A branch without it works on single pixels: it is evaluated in strips of
pixels. So a large image needs little more than x and the result, and the parts stay in the processor's cache.
"""

import torch
from torch import Tensor, nn

from .converse2d import Converse2D
from .folding import fold_gain, fold_norm
from .layer_norm import normalise

SAMPLE_BYTES = 16 * 2**20  # of one sample's features: from here on, parts are as fast as the whole
BATCH_BYTES = 256 * 2**20  # of a batch's features: from here on, memory counts more
GROUP_BYTES = 512 * 2**20  # of a group's features, at most
CHUNK_BYTES = 64 * 2**20  # of padded channels that are transformed together on a CPU
LEAST_CHUNK = 4  # channels; FFTs of single large images leave a core idle
STRIP = 8192  # pixels on a CPU


def has_parts(middle: list[nn.Module]) -> bool:
    """Whether a branch with these modules between its 1x1 convolutions can be evaluated in parts."""
    kinds = [type(module) for module in middle]
    return kinds == [nn.GELU] or (kinds == [nn.GELU, Converse2D, nn.GELU] and middle[1].scale == 1)


def is_large(x: Tensor) -> bool:
    """Whether x (N, C, H, W) is so large that its evaluation in parts is worth it."""
    if x.device.type not in ("cpu", "cuda") or len(x) == 0:
        return False
    features = 2 * x.numel() * x.element_size()
    return features >= BATCH_BYTES or (x.device.type == "cpu" and features >= SAMPLE_BYTES * len(x))


def add_branch_in_parts(x: Tensor, branch: nn.Sequential, gain: Tensor | None, reuse: bool) -> Tensor:
    """x + gain * branch(x).

    Args:
        x: (N, C, H, W).
        branch: LayerNorm2d, PointwiseConv2d, GELU, PointwiseConv2d, or with Converse2D and GELU before the last.
        gain: (1, C, 1, 1), or None for 1.
        reuse: the result may take the place of x in memory.
    """
    norm, expand, *middle, project = branch
    expand = fold_norm(norm, expand)
    project = fold_gain(project, gain)
    if len(middle) == 1:
        out = x if reuse and x.is_contiguous() else x.clone(memory_format=torch.contiguous_format)
        for sample in out.flatten(2):
            _add_strips(sample, norm.eps, expand, middle[0], project)
        return out
    x = x.contiguous()
    out = torch.empty_like(x)
    together = 2 if len(x) % 2 == 0 else 1  # a pair of samples shares FFTs
    for samples, results in zip(x.split(together), out.split(together), strict=True):
        _add_groups(samples, results, norm.eps, expand, middle, project)
    return out


def _add_strips(x: Tensor, eps: float, expand: tuple, activation: nn.GELU, project: tuple) -> None:
    """Add a branch that works on single pixels to x (C, H*W), in place."""
    matrix, bias = expand
    length = _strip_length(x)
    buffer = x.new_empty(len(bias), min(length, x.shape[1]))
    for strip in x.split(length, 1):
        features = buffer[:, : strip.shape[1]]
        torch.mm(matrix, _normalise(strip, eps), out=features)
        _activate(features.add_(bias), activation)
        strip.add_(project[1]).addmm_(project[0], features)


def _add_groups(x: Tensor, out: Tensor, eps: float, expand: tuple, middle: list[nn.Module], project: tuple) -> None:
    """out = x + branch(x) for a branch with Converse2D; one sample or a pair, (1 or 2, C, H, W)."""
    before, operator, after = middle
    n, _, h, w = x.shape
    channels = operator.in_channels
    group, chunk = _group_and_chunk(x, operator)
    flat, flat_out = x.flatten(2), out.flatten(2)
    torch.add(flat, project[1], out=flat_out)
    buffer, lam = _planes(x, n, group, h * w), operator.lam
    for start in range(0, channels, group):
        stop = min(start + group, channels)
        features = buffer[:, : stop - start]
        for sample, wide in zip(flat, features, strict=True):
            _expand(sample, eps, expand[0][start:stop], expand[1][start:stop], before, wide)
        for first in range(start, stop, chunk):
            part = slice(first, min(first + chunk, stop))
            y = features[:, first - start : part.stop - start].unflatten(2, (h, w))
            solution = operator.solve(y, operator.weight[:, part], lam[:, part])
            _activate(solution, after)
            y.copy_(solution)
        for result, wide in zip(flat_out, features, strict=True):
            result.addmm_(project[0][:, start:stop], wide)


def _expand(x: Tensor, eps: float, matrix: Tensor, bias: Tensor, activation: nn.GELU, out: Tensor) -> None:
    """out (C', H*W) = activation(matrix @ normalised x + bias), strip by strip."""
    length = _strip_length(x)
    for strip, features in zip(x.split(length, 1), out.split(length, 1), strict=True):
        torch.mm(matrix, _normalise(strip, eps), out=features)
        _activate(features.add_(bias), activation)


def _normalise(x: Tensor, eps: float) -> Tensor:
    """Normalised x (C, pixels), contiguous: matrix products read that faster than a strip of a larger image."""
    return normalise(x[None], eps)[0][0]


def _activate(x: Tensor, activation: nn.GELU) -> None:
    """GELU in place. (torch 2.13's gelu.out writes wrong values to an out that is not contiguous.)"""
    torch.ops.aten.gelu_(x, approximate=activation.approximate)


def _strip_length(x: Tensor) -> int:
    return STRIP if x.device.type == "cpu" else x.shape[-1]


def _group_and_chunk(x: Tensor, operator: Converse2D) -> tuple[int, int]:
    """Channels that are expanded together, and channels that are transformed together."""
    n, _, h, w = x.shape
    plane = n * h * w * x.element_size()
    group = min(operator.in_channels // 2, max(LEAST_CHUNK, GROUP_BYTES // plane))
    if x.device.type != "cpu":
        return group, group
    padded = n * (h + 2 * operator.padding) * (w + 2 * operator.padding) * x.element_size()
    return group, min(group, max(LEAST_CHUNK, CHUNK_BYTES // padded))


def _planes(like: Tensor, n: int, channels: int, pixels: int) -> Tensor:
    """(n, channels, pixels), empty, with planes an odd number of cache lines apart.

    A matrix product reads all planes at the same pixels. At distances of a power of two these share a few places in
    the cache, and the product takes up to twice as long.
    """
    lines = -(-pixels // 16) | 1
    return like.new_empty(n, channels, 16 * lines)[..., :pixels]
