"""Settings of a restoration, checked against the network."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..blur_kernels import FORMS
from ..blur_kernels.choosing import fit_kernel
from ..errors import UserError
from ..inference.calling import takes_kernel
from ..inference.deconvolution import BORDERS, MARGIN
from ..networks import ConverseNet
from ..onnx_files.running import OnnxNetwork
from .colour import CHANNELS

_KERNEL = 7  # side of the kernels that the blind network is for
_CUT = 0.01  # of a kernel's weight; less is not worth a note
_NEEDS_KERNEL = (
    f"needs the blur kernel of the picture: give --kernel (kernel= in Python) {FORMS}; ConverseNet is the network for "
    "an unknown blur"
)


def check_settings(tile: int | None, overlap: int, channels: str) -> None:
    """Raise UserError unless these settings are valid."""
    if tile is not None and (not isinstance(tile, int) or tile < 1):
        raise UserError(f"tile: must be 1 or more, got {tile!r}")
    if not isinstance(overlap, int) or overlap < 0 or (tile is not None and overlap >= tile):
        limit = "" if tile is None else f", and less than the tile, {tile}"
        raise UserError(f"overlap: must be 0 or more{limit}, got {overlap!r}")
    if channels not in CHANNELS:
        raise UserError(f"channels: must be {' or '.join(CHANNELS)}, got {channels!r}")


def scale_of(network: nn.Module, scale: int | None) -> int:
    """The network's scale, or the given one for a network that takes any; UserError if it takes no other."""
    own = getattr(network, "scale", 1)
    if scale in (None, own):
        return own
    if not isinstance(scale, int) or not 1 <= scale <= 8:
        raise UserError(f"scale: must be an integer from 1 to 8, got {scale!r}")
    if not takes_kernel(network) and hasattr(network, "scale"):
        raise UserError(f"scale: {type(network).__name__} has scale {own}, got {scale}")
    return scale


def fixed_size(network: nn.Module) -> tuple[int, int] | None:
    """(H, W) of the images of an ONNX file that takes one size; None: any."""
    return network.size if isinstance(network, OnnxNetwork) else None


def kernel_for(network: nn.Module, kernel: np.ndarray | None, note: Callable[[str], None]) -> Tensor | None:
    """The blur kernel as the network takes it, (1, 1, k, k); None if it takes none.

    Raises:
        UserError: the network takes a kernel and there is none, or the reverse, or it is too large.
    """
    name = type(network).__name__
    if not takes_kernel(network):
        if kernel is not None:
            raise UserError(f"{name} takes no blur kernel; leave --kernel (kernel=) out")
        return None
    if kernel is None:
        raise UserError(f"{name} {_NEEDS_KERNEL}")
    size = getattr(network, "psf_size", None) or max(kernel.shape) // 2 * 2 + 1
    fitted, lost = fit_kernel(kernel, size)
    if lost > _CUT:
        note(f"the blur kernel is cut to {size}x{size} taps, which lack {lost:.0%} of its weight")
    return torch.from_numpy(fitted).float()[None, None]


def margin_for(network: nn.Module, kernel: Tensor | None, borders: str | None) -> int:
    """Pixels by which an image is continued for a network that inverts a circular blur.

    Such are networks that take a blur kernel (None: this one does not) and ConverseNet. Circular blur joins opposite
    borders, which do not fit together in a photograph.

    Raises:
        UserError: the borders are unknown, or have no effect.
    """
    if borders not in (None, *BORDERS):
        raise UserError(f"borders: must be {' or '.join(BORDERS)}, got {borders!r}")
    if kernel is None and not isinstance(network, ConverseNet):
        if borders is not None:
            raise UserError(f"borders: {type(network).__name__} does not join them; leave --borders (borders=) out")
        return 0
    if borders == "circular" or fixed_size(network):
        return 0
    return MARGIN * (_KERNEL if kernel is None else max(kernel.shape[-2:]))
