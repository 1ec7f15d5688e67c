"""nn.Conv2d followed by nn.PixelShuffle -> a convolution to fewer channels and Converse2D."""

import torch
from torch import nn

from .building import New, build_stage, build_upsampler, carry_attributes, check_layer
from .separating import separate
from .start import start_as_kernel, start_as_nearest
from .unsuitable import Unsuitable


def replace_pixel_shuffle(conv: nn.Conv2d, shuffle: nn.PixelShuffle, kernel_size: int | None) -> New:
    """The layer in place of both, and how it starts: 'weights' or 'fresh'.

    Its convolution has a 1/s^2 of the output channels. The start is the old weights if the s x s outputs of a channel
    are multiples of each other, as with ICNR, and have the same bias. Else the convolution is their mean, and the psf a
    new one that starts as nearest upsampling.

    Args:
        conv, shuffle: the layers.
        kernel_size: k of the psf; None: the factor.

    Raises:
        Unsuitable: with the reason.
    """
    check_layer(conv, nn.Conv2d)
    check_layer(shuffle, nn.PixelShuffle)
    scale = shuffle.upscale_factor
    if scale < 2:
        raise Unsuitable(f"factor {scale}")
    channels = conv.out_channels // scale**2
    if channels % conv.groups:
        raise Unsuitable(f"{channels} channels after the shuffle cannot be split into its {conv.groups} groups")
    options = conv.stride, conv.padding, conv.dilation, conv.groups, False, conv.padding_mode
    mix = nn.Conv2d(conv.in_channels, channels, conv.kernel_size, *options).to(conv.weight.device, conv.weight.dtype)
    up = build_upsampler(channels, kernel_size or scale, scale, conv.weight)
    weight = conv.weight.detach().unflatten(0, (channels, -1))  # (C', s*s, C/g, kh, kw)
    bias = None if conv.bias is None else conv.bias.detach().unflatten(0, (channels, -1))
    start, reason = "weights", ""
    try:
        factors, kernels, separable = separate(weight.flatten(2).mT, scale)
        if not separable or (bias is not None and not torch.allclose(bias, bias[:, :1].expand_as(bias))):
            raise Unsuitable("the outputs of a channel differ by more than a factor")
        start_as_kernel(up, kernels.unflatten(-1, (scale, scale)), origin=0)
    except Unsuitable as unsuitable:
        start, reason = "fresh", str(unsuitable)
        start_as_nearest(up)
        factors = weight.mean(1)
    with torch.no_grad():
        mix.weight.copy_(factors.reshape(mix.weight.shape))
    new = build_stage(mix, up, None if bias is None else bias.mean(1))
    carry_attributes(conv, new, nn.Conv2d(1, 1, 1))
    return New(new, start, reason)
