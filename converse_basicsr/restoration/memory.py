"""How much memory a restoration may use, and the tile that fits."""

import json
import math
import re
from importlib.resources import files

import psutil
import torch
from torch import nn

from ..errors import UserError
from ..inference.sizes import widest
from .free_memory import free_memory

MARGIN = 0.15  # of the free memory, not used by default
LEAST_TILE = 48
_STEP = 16  # tiles are multiples of it
# Factor on the measured need, of squares of 640 pixels: sizes whose FFT is less simple take more. Measured in all:
# Converse-DnCNN at 775x516 1.9 times the table, Converse-SRResNet in tiles of 304 less than the table.
_SAFETY = 2.0
_PER_SAMPLE = 20  # bytes of the picture itself: float32 input, result and blend, its 8-bit versions, its neighbours
CONSISTENCY = 110  # bytes of the consistency step for each pixel of the output; it takes one channel at a time
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


def parse_memory(text: str | int) -> int:
    """Bytes from '4GB', '500MB', '4GiB' or a number.

    Raises:
        UserError: it is none of these.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", str(text).upper())
    if found is None or found[2] not in _UNITS or not float(found[1]):
        raise UserError(f"memory: must be a size such as 4GB, 500MB or 4GiB, got {text!r}")
    return int(float(found[1]) * _UNITS[found[2]])


def describe_bytes(size: float) -> str:
    """'3.2 GB' or '450 MB'."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{math.ceil(size / 1e6)} MB"


class Budget:
    """The memory for pictures and network, beyond what the program takes already.

    Args:
        memory: the most that the program (on a GPU: this process there) may use; None: what is free, less a margin.
        device: of the network.

    Raises:
        UserError: the program takes more already.
    """

    def __init__(self, memory: int | str | None, device: torch.device):
        taken = 0 if device.type == "cuda" else psutil.Process().memory_info().rss
        if memory is None:
            self.size = int((1 - MARGIN) * free_memory(device))
            return
        most = parse_memory(memory)
        if most <= taken:
            needed = f"must be more than the {describe_bytes(taken)} that the program itself takes"
            raise UserError(f"memory: {needed}, got {memory!r} ({most:,} bytes)")
        self.size = most - taken

    def tile(
        self, network: nn.Module, shape: torch.Size, scale: int, x8: bool, overlap: int, after: int = 0
    ) -> int | None:
        """The side of the largest tile that fits, None if the whole batch (N, C, h, w) does.

        `after` is what each pixel of the output needs, in bytes, once the network is done, whatever the tile.

        Raises:
            UserError: not even a tile of 48x48 fits.
        """
        n, channels, height, width = shape
        need = Need(network)
        samples = n * channels * height * width * scale**2
        whole = _PER_SAMPLE * (2 if x8 else 1) * samples + after * height * width * scale**2
        left = (self.size - whole) / _SAFETY - need.fixed
        pixels = max(left, 0) / (need.per_pixel * scale**2 * n)
        if pixels >= height * width:
            return None
        side = int(math.sqrt(pixels)) // _STEP * _STEP
        if min(height, width) < side:  # a long, narrow picture is cut along one side only
            side = int(pixels / min(height, width)) // _STEP * _STEP
        if side < max(LEAST_TILE, overlap + 1):
            needed = describe_bytes(self.size + _SAFETY * need.per_pixel * scale**2 * n * LEAST_TILE**2 - left)
            raise UserError(
                f"memory: tiles of {LEAST_TILE}x{LEAST_TILE} of this picture need {needed} beside what the program "
                f"takes; {describe_bytes(self.size)} are free or allowed"
            )
        return side


class Need:
    """What a network needs to evaluate an image, from the measured table.

    Networks with other numbers of channels need memory in proportion to the widest layer; networks that were not
    measured count as the most demanding one.

    Attributes:
        fixed: bytes for an image of any size.
        per_pixel: bytes for each pixel of the output.
    """

    def __init__(self, network: nn.Module):
        table = json.loads(files(__package__).joinpath("memory.json").read_text())["networks"]
        row = table.get(getattr(network, "network_type", type(network).__name__)) or max(
            table.values(), key=lambda each: each["per_pixel"]
        )
        share = (getattr(network, "width", None) or widest(network)) / row["width"]
        self.fixed = row["fixed"]
        self.per_pixel = row["per_pixel"] * share
