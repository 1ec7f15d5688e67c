"""What an ONNX file says about its network: the metadata that runtimes show, as strings."""

import json
from dataclasses import asdict, dataclass, field
from inspect import signature

from torch import nn

from .. import __version__
from ..errors import UserError
from ..inference.calling import takes_kernel
from ..inference.sizes import least_side, widest

KEY = "converse_basicsr"  # the version of the package; the other names are those of the attributes


@dataclass(frozen=True)
class Description:
    """A network in an ONNX file.

    Attributes:
        type: the network's class.
        scale: output samples per input sample.
        in_channels: of the input.
        size: 'HxW', or 'dynamic'.
        psf_size: side of the blur kernel, the second input; 0 for a network without.
        least_side: of an image.
        width: the largest number of channels of a layer, which tells how much memory it needs.
        options: constructor options, if they are known.
    """

    type: str
    scale: int
    in_channels: int
    size: str
    psf_size: int = 0
    least_side: int = 1
    width: int = 1
    options: dict = field(default_factory=dict)

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(H, W), or None."""
        return None if self.size == "dynamic" else parse_size(self.size)

    def to_metadata(self) -> dict[str, str]:
        fields = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asdict(self).items()}
        return {KEY: __version__, **fields}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], where: str) -> "Description":
        """Raises UserError where the metadata are not those of `to_metadata`."""
        if KEY not in metadata:
            raise UserError(f"{where}: not written by basicsr export, so its scale and channels are not known")
        try:
            values = {name: metadata[name] for name in ("type", "size")}
            numbers = ("scale", "in_channels", "psf_size", "least_side", "width", "options")
            described = cls(**values, **{name: json.loads(metadata[name]) for name in numbers})
            described.fixed_size  # noqa: B018 (a wrong one raises)
        except (KeyError, ValueError) as error:
            raise UserError(f"{where}: its metadata are damaged: {error}") from error
        return described


def describe(network: nn.Module, size: tuple[int, int] | None, scale: int, options: dict | None) -> Description:
    """The description of a network that is exported for images of this size (None: of any).

    Raises:
        UserError: the network takes blur kernels of any size.
    """
    if takes_kernel(network) and not hasattr(network, "psf_size"):
        raise UserError(f"{type(network).__name__} takes blur kernels of any size; an ONNX file needs a fixed one")
    first = next((each for each in network.parameters() if each.dim() == 4), None)
    channels = getattr(network, "in_channels", None) or (3 if first is None else first.shape[1])
    return Description(
        type=type(network).__name__,
        scale=scale,
        in_channels=channels,
        size="dynamic" if size is None else f"{size[0]}x{size[1]}",
        psf_size=network.psf_size if takes_kernel(network) else 0,
        least_side=least_side(network),
        width=widest(network),
        options={name: value for name, value in (options or {}).items() if name != "type"},
    )


def takes_scale(network: nn.Module) -> bool:
    """Whether the network's forward has an argument named scale."""
    return "scale" in signature(network.forward).parameters


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) from '64x96'.

    Raises:
        UserError: it is something else.
    """
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise UserError(f"size: must be HEIGHTxWIDTH, such as 64x96, got {text!r}")
    return int(height), int(width)
