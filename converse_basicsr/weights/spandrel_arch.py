"""An arch for option files: what spandrel recognises in a file of weights."""

import importlib.util

from torch import Tensor, nn

from ..errors import UserError, plain
from .by_spandrel import build_by_spandrel
from .locating import locate
from .reading import read_weights


class Spandrel(nn.Module):
    """A network that spandrel builds from a file, with its weights. It pads images itself and clips to [0, 1].

    Args:
        weights (str): A .pth or .safetensors file.

    Shape: (N, C, h, w) in [0, 1] -> (N, C', s*h, s*w), as the network is.

    Raises:
        UserError: the file cannot be read, spandrel is not installed, or it does not recognise the file.
    """

    def __init__(self, weights: str):
        super().__init__()
        self.check_installed()
        built = build_by_spandrel(read_weights(locate(weights)))
        if built is None:
            raise UserError(f"{plain(weights)}: spandrel recognises no network in it")
        self.network = built.network

    @staticmethod
    def check_installed() -> None:
        """Raise UserError if spandrel is missing."""
        if importlib.util.find_spec("spandrel") is None:
            raise UserError("Spandrel needs pip install spandrel")

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)
