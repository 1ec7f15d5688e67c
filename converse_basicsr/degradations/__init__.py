"""Degradations that make the input from ground truth: random for training, fixed for the paper's protocols."""

from inspect import signature

from ..compat import load_basicsr
from ..errors import UserError
from ..options.constructors import check_options

load_basicsr()

from .bicubic import BicubicReduction  # noqa: E402
from .blur import Blur  # noqa: E402
from .degradation import Degradation  # noqa: E402
from .noise import GaussianNoise  # noqa: E402

DEGRADATIONS: dict[str, type[Degradation]] = {
    degradation.__name__: degradation for degradation in (GaussianNoise, BicubicReduction, Blur)
}

__all__ = ["DEGRADATIONS", "BicubicReduction", "Blur", "Degradation", "GaussianNoise", "build_degradation"]


def build_degradation(section: dict, scale: int | None) -> Degradation:
    """The degradation that a section of an option file describes.

    Args:
        section: type (a key of DEGRADATIONS) and its arguments.
        scale: the option file's scale, or None; passed on if the degradation takes a scale.

    Raises:
        UserError: the type or an argument is not known; names it.
    """
    degradation = DEGRADATIONS.get(section.get("type"))
    if degradation is None:
        raise UserError(f"degradation:type: must be one of {', '.join(DEGRADATIONS)}, got {section.get('type')!r}")
    arguments = {name: value for name, value in section.items() if name != "type"}
    if scale is not None and "scale" in signature(degradation).parameters:
        arguments.setdefault("scale", scale)
    check_options("degradation", arguments, degradation)
    return degradation(**arguments)
