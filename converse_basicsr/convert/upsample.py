"""nn.Upsample -> Converse2D with the prior of its mode."""

from torch import nn

from .building import New, build_upsampler, carry_attributes, check_layer
from .example import Call
from .start import start_as_nearest, start_as_prior
from .unsuitable import Unsuitable

PRIORS = {"nearest": "nearest", "nearest-exact": "nearest", "bilinear": "bilinear", "bicubic": "bicubic"}


def replace_upsample(old: nn.Upsample, calls: list[Call] | None, kernel_size: int | None) -> New:
    """The new layer, and how it starts: 'nearest', or 'prior' for bilinear and bicubic.

    Both are exact, but for align_corners=True, of which Converse2D has no prior.

    Args:
        old: the layer.
        calls: with what the example called it; None without an example.
        kernel_size: k of the psf; None: the factor.

    Raises:
        Unsuitable: with the reason.
    """
    check_layer(old, nn.Upsample)
    scale = _factor(old)
    if old.mode not in PRIORS:
        raise Unsuitable(f"mode {old.mode!r}; Converse2D has {', '.join(PRIORS)}")
    like = _input(calls)
    prior = PRIORS[old.mode]
    new = build_upsampler(like.shape[1], kernel_size or scale, scale, like.sample, prior=prior)
    (start_as_nearest if prior == "nearest" else start_as_prior)(new)
    carry_attributes(old, new, nn.Upsample())
    return New(new, "nearest" if prior == "nearest" else "prior")


def _factor(old: nn.Upsample) -> int:
    if old.scale_factor is None:
        raise Unsuitable(f"a fixed size ({old.size}), no factor")
    factors = set(old.scale_factor) if isinstance(old.scale_factor, tuple) else {old.scale_factor}
    factor = factors.pop()
    if factors or factor != int(factor) or factor < 2:
        raise Unsuitable(f"factor {old.scale_factor}; one integer of 2 or more is needed for both sides")
    return int(factor)


def _input(calls: list[Call] | None) -> Call:
    if calls is None:
        raise Unsuitable("its number of channels is not known: give `example`, an input of the model")
    if not calls:
        raise Unsuitable("the example does not reach it, so its number of channels is not known")
    if any(len(call.shape) != 4 for call in calls):
        raise Unsuitable("its input is not (N, C, H, W)")
    channels = sorted({call.shape[1] for call in calls})
    if len(channels) > 1:
        raise Unsuitable(f"it is used for different numbers of channels ({', '.join(map(str, channels))})")
    if not calls[0].sample.is_floating_point():
        raise Unsuitable(f"its input is {calls[0].sample.dtype}")
    return calls[0]
