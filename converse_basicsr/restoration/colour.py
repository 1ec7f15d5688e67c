"""Images and networks with different numbers of channels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError

CHANNELS = ("y", "each")
_TO_YCC = torch.tensor([  # ITU-R BT.601, full range, without the offset of the chroma
    [0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]
])  # fmt: skip


def calls_for(image_channels: int, network_channels: int | None, channels: str) -> int:
    """How many times an image is given to the network."""
    return image_channels if network_channels == 1 and channels == "each" else 1


def restore_channels(
    restore: Callable[[Tensor], Tensor], x: Tensor, network_channels: int | None, channels: str
) -> Tensor:
    """Restore an image with a network of another number of channels.

    Gray becomes three equal channels, and gray again. Of a colour image a gray network restores the luma ('y'; the
    chroma is enlarged bicubically), or each channel ('each').

    Args:
        restore: (N, network_channels, h, w) -> (N, C', s*h, s*w).
        x: (N, C, h, w).
        network_channels: None: any number.
        channels: 'y' or 'each'.

    Raises:
        UserError: the image has neither 1 nor 3 channels, nor as many as the network; or the network has neither.
    """
    given = x.shape[1]
    if network_channels in (None, given):
        return restore(x)
    if given == 1 and network_channels == 3:
        return restore(x.expand(-1, 3, -1, -1)).mean(1, keepdim=True)
    if given != 3 or network_channels != 1:
        raise UserError(f"the network takes {network_channels} channels; the image has {given}")
    if channels == "each":
        return torch.cat([restore(x[:, i : i + 1]) for i in range(3)], 1)
    ycc = torch.einsum("ij,njhw->nihw", _TO_YCC.to(x), x)
    luma = restore(ycc[:, :1].contiguous())
    chroma = ycc[:, 1:]
    if luma.shape[-2:] != chroma.shape[-2:]:
        chroma = F.interpolate(chroma, luma.shape[-2:], mode="bicubic", align_corners=False)
    back = torch.linalg.inv(_TO_YCC.double()).to(luma)
    return torch.einsum("ij,njhw->nihw", back, torch.cat([luma, chroma.to(luma)], 1))
