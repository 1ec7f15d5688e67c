"""Counts of networks and layers: every one that is too small, or no integer, is refused by its name."""

import inspect

import pytest
import torch

from converse_basicsr import networks
from converse_basicsr.layers import Converse2D, ConverseBlock, LayerNorm2d
from converse_basicsr.layers.spatial import SPATIAL_OPS, build_spatial_op
from converse_basicsr.layers.upsamplers import UPSAMPLERS, Carafe, DySample, NearestConv2d, build_upsampler

NETWORKS = [getattr(networks, name) for name in networks.__all__]
NEEDED = {  # arguments without a default
    Converse2D: {"in_channels": 4, "out_channels": 4, "kernel_size": 3},
    LayerNorm2d: {"num_feat": 4},
    NearestConv2d: {"num_feat": 4, "scale": 2},
    Carafe: {"num_feat": 4, "scale": 2},
    DySample: {"num_feat": 4, "scale": 2},
    build_spatial_op: {
        "num_feat": 4, "kernel_size": 3, "scale": 2, "padding": 1, "padding_mode": "circular", "eps": 1e-5
    },
}  # fmt: skip
LEAST = {"num_block": 0, "padding": 0, "num_layer": 2}  # of the others: 1
CHOSEN = ("upscale",)  # from a list


def counts() -> list[tuple]:
    """(what, its other arguments, the name of a count), for every argument that is an integer by its annotation."""
    return [
        (build, NEEDED.get(build, {}), name)
        for build in (*NETWORKS, ConverseBlock, *NEEDED)
        for name, parameter in inspect.signature(build).parameters.items()
        if parameter.annotation in (int, int | None) and name not in (*CHOSEN, "out_channels")
    ]


@pytest.mark.parametrize(
    ("build", "needed", "name"), counts(), ids=lambda value: getattr(value, "__name__", str(value)).partition("{")[0]
)
def test_a_count_that_is_too_small_or_no_integer_is_named(build, needed, name):
    own = {"upsampler": "converse"} if name == "up_kernel_size" else {}
    least = LEAST.get(name, 1)
    for wrong in (least - 1, -3, 2.0, "3", True):
        with pytest.raises(ValueError, match=f"^{name} must be an integer of {least} or more, got {wrong!r}$"):
            build(**{**needed, **own, name: wrong})


@pytest.mark.parametrize("spatial_op", SPATIAL_OPS)
@pytest.mark.parametrize("name", ["num_feat", "kernel_size", "scale"])
def test_the_baselines_of_converse2d_check_their_counts(spatial_op, name):
    with pytest.raises(ValueError, match=f"{name} must be an integer of 1 or more, got -1"):
        build_spatial_op(**{**NEEDED[build_spatial_op], name: -1}, spatial_op=spatial_op)


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
@pytest.mark.parametrize("name", ["num_feat", "scale"])
def test_upsamplers_check_their_counts(upsampler, name):
    with pytest.raises(ValueError, match=f"{name} must be an integer of 1 or more, got 0"):
        build_upsampler(**{"upsampler": upsampler, "num_feat": 4, "scale": 2, name: 0})


@pytest.mark.parametrize("name", ["kernel_size", "encoder_size"])
def test_carafe_needs_odd_kernels(name):
    with pytest.raises(ValueError, match=f"{name} must be odd, got 4"):
        Carafe(4, 2, **{name: 4})


@pytest.mark.parametrize("build", [each for each in NETWORKS if "num_block" in inspect.signature(each).parameters])
def test_a_network_without_blocks_still_restores(build):
    network = build(num_block=0, num_feat=4).eval()
    inputs = [torch.rand(1, network.in_channels, 9, 8)]
    if "kernel" in inspect.signature(network.forward).parameters:
        inputs.append(torch.full((1, 1, 7, 7), 1 / 49))
    with torch.no_grad():
        restored = network(*inputs)
    assert restored.shape[-2:] == (9 * network.scale, 8 * network.scale) and restored.isfinite().all()
