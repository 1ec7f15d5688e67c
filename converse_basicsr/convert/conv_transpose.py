"""nn.ConvTranspose2d -> a 1x1 convolution and Converse2D."""

import torch
from torch import Tensor, nn

from .building import New, build_mix, build_stage, build_upsampler, carry_attributes, check_layer
from .separating import separate
from .start import needed_size, start_as_kernel, start_as_nearest
from .unsuitable import Unsuitable


def replace_conv_transpose(old: nn.ConvTranspose2d, kernel_size: int | None) -> New:
    """The new layer, and how it starts: 'weights' or 'fresh'.

    A depthwise layer becomes Converse2D alone. Other layers get a 1x1 convolution in front of it, with the same groups.
    The start is the old weights if they are separable, mix[o, i] * kernel[o], and the psf holds the kernel. Else the
    psf is a new one that starts as nearest upsampling, and the 1x1 convolution is the old layer for constant inputs,
    on average over its outputs.

    Args:
        old: the layer.
        kernel_size: k of the psf; None: the smallest that holds the kernel.

    Raises:
        Unsuitable: with the reason.
    """
    check_layer(old, nn.ConvTranspose2d)
    scale, side, origin = _geometry(old)
    channels, groups = old.out_channels, old.groups
    depthwise = groups == channels == old.in_channels
    k = kernel_size or needed_size(side, origin, scale)
    up = build_upsampler(channels, k, scale, old.weight, padding_mode="constant")
    # (C, C'/g, kh, kw) -> (C', C/g, kh*kw)
    weight = old.weight.detach().unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1).flatten(2)
    start, reason = "weights", ""
    try:
        mix = None
        if depthwise:
            kernels = weight.squeeze(1)
        else:
            mix, kernels, separable = separate(weight, scale)
            if not separable:
                raise Unsuitable("its weights are not separable")
        start_as_kernel(up, kernels.unflatten(-1, (side, side)), origin)
    except Unsuitable as unsuitable:
        start, reason = "fresh", str(unsuitable)
        start_as_nearest(up)
        mix = None if depthwise else weight.sum(-1) / scale**2
    if mix is not None:
        mix = _grouped_mix(mix.to(old.weight), groups)
    new = build_stage(mix, up, None if old.bias is None else old.bias.detach())
    carry_attributes(old, new, nn.ConvTranspose2d(1, 1, 1))
    return New(new, start, reason)


def _geometry(old: nn.ConvTranspose2d) -> tuple[int, int, int]:
    """Factor, side of the kernel, padding."""
    if old.padding_mode != "zeros" or set(old.dilation) != {1}:
        raise Unsuitable("it has a dilation or a padding mode")
    options = {name: set(getattr(old, name)) for name in ("stride", "kernel_size", "padding", "output_padding")}
    if any(len(values) > 1 for values in options.values()):
        raise Unsuitable("its height and width are treated differently")
    scale, side, padding, output_padding = (values.pop() for values in options.values())
    if scale == 1:
        raise Unsuitable("stride 1: it does not upsample by an integer factor")
    if side + output_padding - 2 * padding != scale:
        raise Unsuitable(f"its output is not {scale} times its input")
    return scale, side, padding


def _grouped_mix(weight: Tensor, groups: int) -> nn.Conv2d:
    """A 1x1 convolution with weight (C', C/g)."""
    if groups == 1:
        return build_mix(weight)
    mix = nn.Conv2d(weight.shape[1] * groups, weight.shape[0], 1, groups=groups, bias=False)
    mix = mix.to(weight.device, weight.dtype)
    with torch.no_grad():
        mix.weight.copy_(weight[..., None, None])
    return mix
