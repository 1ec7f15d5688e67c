"""x + gain * branch(x) in training, with little memory: the backward computes the branch again.

A branch is a sum over the channels of its features. Its channels are computed again group by group, so that neither
direction ever holds the features of a large image whole.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .converse2d import Converse2D
from .folding import fold_gain, fold_norm
from .layer_norm import normalise_channels

GROUP_BYTES = 12 * 2**20  # of the features that are computed together

again = partial(checkpoint, use_reentrant=False)


def count_groups(x: Tensor) -> int:
    """In how many groups of channels a branch of x (N, C, H, W) is computed again: a power of two."""
    return 1 << (2 * x.nbytes // GROUP_BYTES).bit_length()


def add_branch_checkpointed(x: Tensor, branch: nn.Sequential, gain: Tensor | None) -> Tensor:
    """x + gain * branch(x), in groups of channels.

    Args:
        x: (N, C, H, W).
        branch: LayerNorm2d, PointwiseConv2d, GELU, PointwiseConv2d, or the same with Converse2D and GELU before the
            last; none of them has hooks.
        gain: (1, C, 1, 1), or None for 1.
    """
    norm, expand, *middle, project = branch
    matrix, bias = fold_norm(norm, expand)
    out_matrix, out_bias = fold_gain(project, gain)
    normal = normalise_channels(x, norm.eps)
    total = torch.add(x.flatten(2), out_bias)
    operator = middle[1] if len(middle) > 1 else None
    group = -(-len(bias) // count_groups(x))
    for start in range(0, len(bias), group):
        part = slice(start, start + group)
        psf, lam = (operator.weight[:, part], operator.lam[:, part]) if operator else (None, None)
        arguments = normal, matrix[part], bias[part], middle, psf, lam, out_matrix[:, part]
        total = total + again(_project, *arguments, preserve_rng_state=False)  # nothing in it is random
    return total.unflatten(2, x.shape[2:])


def _project(
    normal: Tensor,
    matrix: Tensor,
    bias: Tensor,
    middle: list[nn.Module],
    psf: Tensor | None,
    lam: Tensor | None,
    out_matrix: Tensor,
) -> Tensor:
    """The share of some channels of the features in the branch: (N, C, H*W)."""
    n = len(normal)
    features = torch.baddbmm(bias, matrix.expand(n, -1, -1), normal.flatten(2)).unflatten(2, normal.shape[2:])
    for module in middle:
        if isinstance(module, Converse2D):
            features = module.solve(features, psf, lam)
        else:
            features = F.gelu(features, approximate=module.approximate)
    return torch.bmm(out_matrix.expand(n, -1, -1), features.flatten(2))
