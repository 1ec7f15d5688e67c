"""The upsampling layers of a model, replaced by Converse2D."""

from torch import nn

from ..errors import UserError, shown
from .comparing import difference
from .conv_transpose import replace_conv_transpose
from .example import Seen, run_example, watch_example
from .matching import Match, check_model, find_layers, select
from .pairs import find_pairs, replace_pairs
from .report import Kept, Replaced, Report, put, undo
from .unsuitable import Unsuitable
from .upsample import replace_upsample


def convert_upsampling(
    model: nn.Module, kernel_size: int | None = 2, match: Match = None, example: object = None
) -> Report:
    """Replace the upsampling layers of a model by Converse2D, in place.

    nn.Upsample (integer factor; nearest, bilinear, bicubic) becomes Converse2D with the prior of its mode.
    nn.ConvTranspose2d (stride = factor) becomes a 1x1 convolution and Converse2D; if it is depthwise, Converse2D alone.
    nn.Conv2d followed by nn.PixelShuffle becomes a convolution to fewer channels and Converse2D. A bias stays a bias.

    The new layers start as the old ones where that is possible: docs/own_networks.md, and `exact` and `error` in the
    report. Everything else but the weights depends on the old layer's options alone, so a state dict of a converted
    model fits a new model that was converted in the same way.

    Args:
        model: changed in place. Make the optimiser, and wrap or compile the model, afterwards.
        kernel_size: k of the psfs; 2 is the fastest. None: the factor, or what holds a transposed convolution's kernel.
        match: which layers: a type of module, a pattern of names with *, ? and [] ('decoder.*'), a callable
            (name, module) -> bool, or a list of these, of which one has to fit. None: all.
        example: an input of the model (a tuple: its arguments, a dict: its keywords). It is run in evaluation mode
            before and after the swap. It tells the channels of nn.Upsample, and which convolution an nn.PixelShuffle
            follows, where they are not neighbours in an nn.Sequential.

    Returns:
        What was replaced, and what was not and why. `undo` takes it.

    Raises:
        UserError: the model is scripted, quantised, fused or wrapped, an argument does not fit, or the model no longer
            runs on the example (it is then as before).
    """
    check_model(model)
    if kernel_size is not None and (not isinstance(kernel_size, int) or kernel_size < 1):
        raise UserError(f"kernel_size must be an integer of 1 or more, or None, got {shown(kernel_size)}")
    seen = None if example is None else watch_example(model, example)
    layers = find_layers(model, (nn.Upsample, nn.ConvTranspose2d, nn.PixelShuffle))
    pairs = {
        layer: find_pairs(model, layer, names, seen)
        for layer, names in layers.items()
        if isinstance(layer, nn.PixelShuffle)
    }
    groups = [group for found in pairs.values() for group in found.groups]
    chosen = select(match, {**layers, **{conv: n for group in groups for conv, n in group.convolutions.items()}})
    report = Report(model)
    for layer, names in layers.items():
        if layer in pairs:
            replace_pairs(layer, names, pairs[layer], chosen, kernel_size, report)
        elif layer in chosen:
            _replace(layer, names, kernel_size, seen, report)
    for replaced in report.replaced:
        for name, _, new in replaced.places:
            put(model, name, new)
    if match is None and seen is not None:
        report.kept += [Kept(name or "the model", f"{text}, which is no layer") for name, text in seen.functions]
    if example is not None and report.replaced:
        _check(report, example)
    return report


def _replace(layer: nn.Module, names: list[str], kernel_size: int | None, seen: Seen | None, report: Report) -> None:
    name = ", ".join(names)
    try:
        if "" in names:
            raise Unsuitable("it is the model itself; put it into an nn.Sequential")
        if seen is not None and layer in seen.special:
            raise Unsuitable("it is called with more than its input, or with a keyword")
        if isinstance(layer, nn.Upsample):
            new = replace_upsample(layer, None if seen is None else seen.calls.get(layer, []), kernel_size)
            channels = new.layer.in_channels
        else:
            new = replace_conv_transpose(layer, kernel_size)
            channels = layer.in_channels
    except Unsuitable as reason:
        report.kept.append(Kept(name, str(reason)))
        return
    places = tuple((name, layer, new.layer) for name in names)
    report.replaced.append(Replaced(name, layer, *new, places, difference(layer, new.layer, channels)))


def _check(report: Report, example: object) -> None:
    """Run the example on the new layers; if that fails, put the old ones back."""
    try:
        run_example(report.model, example)
    except Exception as error:
        undo(report)
        raise UserError(f"with the new layers the model fails on the example, so it is as before: {error}") from error
