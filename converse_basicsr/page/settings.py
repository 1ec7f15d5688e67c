"""The settings of a restoration, as the page sends them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError, plain, shown
from .choices import OPERATOR, Choices
from .kernels import Kernels

if TYPE_CHECKING:
    from ..restoration.restorer import Restorer

_KINDS = {
    **dict.fromkeys(("network", "kernel", "borders", "channels", "memory"), ((str,), "a string")),
    **dict.fromkeys(("scale", "steps", "tile", "overlap"), ((int,), "an integer")),
    **dict.fromkeys(("lam", "sigma"), ((int, float), "a number")),
    **dict.fromkeys(("x8", "amp"), ((bool,), "true or false")),
}
_OF_OPERATOR = ("lam", "sigma", "borders", "steps")
_OF_NETWORKS = ("x8", "amp")


@dataclass(frozen=True)
class Settings:
    """What can be chosen; None and False leave the default. The names are those of `basicsr restore`.

    Attributes:
        network: the id of a network, or 'converse2d' for the operator without weights.
        kernel: gaussian:..., motion:..., or the id of an uploaded blur kernel.
    """

    network: str
    kernel: str | None = None
    scale: int | None = None
    lam: float | None = None
    sigma: float | None = None
    borders: str | None = None
    steps: int | None = None
    channels: str | None = None
    x8: bool = False
    amp: bool = False
    tile: int | None = None
    overlap: int | None = None
    memory: str | None = None

    def __post_init__(self):
        useless = _OF_NETWORKS if self.network == OPERATOR else _OF_OPERATOR
        for name in useless:
            if getattr(self, name) not in (None, False):
                raise UserError(f"{name}: has no effect with {self.network}")
        if self.network == OPERATOR and self.kernel is None:
            raise UserError("converse2d needs the blur kernel of the picture")


def settings_from(values: object) -> Settings:
    """The settings in decoded JSON.

    Raises:
        UserError: they are no object, or a name or the kind of a value is wrong.
    """
    if not isinstance(values, dict) or values.get("network") is None:
        raise UserError("settings: must be an object that names a network")
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in given.items():
        if name not in _KINDS:
            raise UserError(f"settings: {plain(name)} is not known; there are {', '.join(_KINDS)}")
        types, words = _KINDS[name]
        if type(value) not in types:
            raise UserError(f"{name}: must be {words}, got {shown(value)}")
    return Settings(**given)


def restorer_for(
    settings: Settings, choices: Choices, kernels: Kernels, device: str | None, note: Callable[[str], None]
) -> "Restorer":
    """The network and its settings, ready to be called.

    Raises:
        UserError: a setting is not valid or does not fit the network.
    """
    from ..inference import TILE_OVERLAP
    from ..inference.deconvolution import build_deconvolution
    from ..restoration.devices import default_device
    from ..restoration.restorer import Restorer

    kernel: np.ndarray | None = None if settings.kernel is None else kernels.choose(settings.kernel)
    common = {
        "tile": settings.tile,
        "overlap": TILE_OVERLAP if settings.overlap is None else settings.overlap,
        "memory": settings.memory,
        "channels": settings.channels or "y",
        "device": device or default_device(),
        "note": note,
    }
    if settings.network != OPERATOR:
        network = choices.network(settings.network)
        return Restorer(network, kernel=kernel, scale=settings.scale, x8=settings.x8, amp=settings.amp, **common)
    network = build_deconvolution(
        kernel, settings.lam, settings.sigma, settings.scale, settings.borders, settings.steps
    )
    return Restorer(network, **common)
