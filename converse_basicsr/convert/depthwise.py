"""Depthwise nn.Conv2d of stride 1 -> Converse2D of scale 1."""

from torch import nn

from ..errors import UserError, shown
from ..layers.converse2d import Converse2D
from .building import build_stage, carry_attributes, check_layer
from .comparing import difference
from .matching import Match, check_model, find_layers, select
from .report import Kept, Replaced, Report, put
from .start import start_as_kernel
from .unsuitable import Unsuitable

STARTS = ("weights", "fresh")
PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def convert_depthwise(model: nn.Module, match: Match = None, start: str = "weights") -> Report:
    """Replace the depthwise convolutions of a model by Converse2D, in place.

    Replaced is every nn.Conv2d of stride 1 and dilation 1 whose groups are its channels, with a square odd kernel of 3
    or more that keeps the size.

    Args:
        model: changed in place. Make the optimiser, and wrap or compile the model, afterwards.
        match: which of them; see convert_upsampling.
        start: 'weights': close to the old layer (the report states by how much they differ). 'fresh': the paper's
            Converse2D, for training from scratch.

    Returns:
        What was replaced, and what was not and why. `undo` takes it.

    Raises:
        UserError: the model is scripted, quantised, fused or wrapped, or an argument does not fit.
    """
    check_model(model)
    if start not in STARTS:
        raise UserError(f"start must be one of {', '.join(STARTS)}, got {shown(start)}")
    layers = {layer: names for layer, names in find_layers(model, (nn.Conv2d,)).items() if _is_depthwise(layer)}
    chosen = select(match, layers)
    report = Report(model)
    for layer, names in layers.items():
        if layer not in chosen:
            continue
        try:
            if "" in names:
                raise Unsuitable("it is the model itself")
            new = _replace(layer, start)
        except Unsuitable as reason:
            report.kept.append(Kept(", ".join(names), str(reason)))
            continue
        places = tuple((name, layer, new) for name in names)
        error = difference(layer, new, layer.in_channels)
        report.replaced.append(Replaced(", ".join(names), layer, new, start, "", places, error))
    for replaced in report.replaced:
        for name, _, new in replaced.places:
            put(model, name, new)
    return report


def _is_depthwise(conv: nn.Conv2d) -> bool:
    return conv.groups == conv.in_channels == conv.out_channels and conv.groups > 1


def _replace(old: nn.Conv2d, start: str) -> nn.Module:
    check_layer(old, nn.Conv2d)
    side, other = old.kernel_size
    if set(old.stride) != {1} or set(old.dilation) != {1}:
        raise Unsuitable(f"stride {old.stride}, dilation {old.dilation}; both must be 1")
    if side != other or side % 2 == 0 or side == 1:
        raise Unsuitable(f"kernel {side} x {other}; it must be square, odd and 3 or more")
    if old.padding not in ("same", (side // 2, side // 2)):
        raise Unsuitable(f"padding {old.padding}: its output has another size than its input")
    mode = PADDING_MODES[old.padding_mode]
    padding = {"circular": 0, "reflect": side // 2}.get(mode, side - 1)
    new = Converse2D(old.in_channels, old.in_channels, side, 1, padding, mode).to(old.weight.device, old.weight.dtype)
    if start == "weights":
        kernels = old.weight.detach().squeeze(1)
        start_as_kernel(new, kernels.flip(-2, -1), origin=side // 2)  # a convolution of torch correlates
    stage = build_stage(None, new, None if old.bias is None else old.bias.detach())
    carry_attributes(old, stage, nn.Conv2d(1, 1, 1))
    return stage
