"""Self-ensemble: the mean restoration over the eight flips and transposes of an image."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

FLIPS = ((), (-1,), (-2,), (-2, -1))


@torch.no_grad()
def restore_x8(restore: Callable[..., Tensor], lq: Tensor, kernel: Tensor | None = None) -> Tensor:
    """Restore the eight flips and transposes of an image, map each back, and average.

    A blur kernel is flipped and transposed with the image, about its centre tap k//2. This does not work with
    decimation, which takes the top left pixel of each block: after a flip, that is another pixel.

    Args:
        restore: the network, called as restore(lq) or restore(lq, kernel); the result is lq's size times a scale.
        lq: (N, C, H, W).
        kernel: None, or (N or 1, 1, k, k) with odd k.

    Returns:
        (N, C', scale*H, scale*W) without gradients, float32 (float64 if the network returns that).

    Raises:
        ValueError: a kernel of even size, or a network that is given a kernel and changes the image's size.

    Source: the geometric self-ensemble of Lim et al. (EDSR), CVPR Workshops 2017 (arXiv 1707.02921).
    """
    if kernel is not None and (kernel.dim() != 4 or kernel.shape[-2] % 2 == 0 or kernel.shape[-1] % 2 == 0):
        raise ValueError(f"kernel must be (N, 1, k, k) with odd k, which has a centre tap, got {tuple(kernel.shape)}")
    inputs = [lq] if kernel is None else [lq, kernel]
    total = None
    for transposed, flips in product((False, True), FLIPS):
        turned = [tensor.flip(flips).mT if transposed else tensor.flip(flips) for tensor in inputs]
        restored = restore(*turned)
        if kernel is not None and restored.shape[-2:] != turned[0].shape[-2:]:
            raise ValueError(
                f"x8 with a kernel needs scale 1, got {tuple(restored.shape)} from {tuple(turned[0].shape)}"
            )
        restored = restored.to(torch.promote_types(restored.dtype, torch.float32))
        restored = (restored.mT if transposed else restored).flip(flips)  # a copy: adding to it is safe
        total = restored if total is None else total.add_(restored)
    return total / 8
