"""New layers: Converse2D of the channels, precision and device of what it replaces."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..layers.converse2d import Converse2D
from ..layers.hooks import is_observed
from ..layers.pointwise import PointwiseConv2d
from .stage import ConverseStage
from .unsuitable import Unsuitable


class New(NamedTuple):
    """A new layer; how it starts, and if that is fresh, why."""

    layer: nn.Module
    start: str
    reason: str = ""


UPSAMPLER_EPS = 1e-3  # the published upsamplers'


def build_upsampler(
    channels: int, kernel_size: int, scale: int, like: Tensor, padding_mode: str = "replicate", prior: str = "nearest"
) -> Converse2D:
    """A Converse2D with enough padding for its psf, for any input size, on like's device and in its dtype."""
    padding = max(2, kernel_size - 1)
    up = Converse2D(channels, channels, kernel_size, scale, padding, padding_mode, UPSAMPLER_EPS, prior)
    return up.to(like.device, like.dtype)


def build_stage(mix: nn.Conv2d | None, up: Converse2D, bias: Tensor | None) -> nn.Module:
    """A ConverseStage, or Converse2D alone where nothing is beside it; bias (C,) is its initial bias."""
    if mix is None and bias is None:
        return up
    stage = ConverseStage(mix, up, bias is not None).to(up.weight.device, up.weight.dtype)
    if bias is not None:
        with torch.no_grad():
            stage.bias.copy_(bias.view(1, -1, 1, 1))
    return stage


def build_mix(weight: Tensor) -> nn.Conv2d:
    """A 1x1 convolution without bias, of one group, with weight (C', C)."""
    mix = PointwiseConv2d(weight.shape[1], weight.shape[0], bias=False).to(weight.device, weight.dtype)
    with torch.no_grad():
        mix.weight.copy_(weight[..., None, None])
    return mix


def check_layer(module: nn.Module, kind: type) -> None:
    """Raise Unsuitable for a layer whose weights or calls are not its own."""
    if type(module).forward is not kind.forward:
        raise Unsuitable(f"{type(module).__name__} has a forward of its own")
    if is_observed(module):
        raise Unsuitable("it has hooks, or its forward was replaced")
    if nn.utils.parametrize.is_parametrized(module):
        raise Unsuitable("its weight is parametrised")
    if any(isinstance(x, nn.parameter.UninitializedParameter) for x in module.parameters()):
        raise Unsuitable("its weight is not initialised yet: run the model once")
    if not all(x.isfinite().all() for x in module.parameters()):
        raise Unsuitable("its weights are not finite")


def carry_attributes(old: nn.Module, new: nn.Module, plain: nn.Module) -> None:
    """Attributes that others put on the old layer (Ultralytics: where its input comes from), and its training flag.

    Args:
        plain: a layer of the old one's kind, with the attributes that every such layer has.
    """
    for name, value in vars(old).items():
        if name not in vars(plain) and name not in vars(new):
            setattr(new, name, value)
    new.train(old.training)
