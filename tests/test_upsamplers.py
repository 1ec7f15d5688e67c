"""Upsamplers other than Converse2D: known cases of each, and the network that uses any of them."""

import pytest
import torch
import torch.nn.functional as F
import yaml
from conftest import REPOSITORY
from torch import nn

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr import Converse2D
from converse_basicsr.layers.upsamplers import UPSAMPLERS, Carafe, DySample, build_upsampler

from basicsr.archs import build_network

SCALES = [2, 3]


def build(upsampler, **options):
    torch.manual_seed(0)
    return build_network(
        {"type": "UpsamplerSRResNet", "num_feat": 8, "num_block": 1, "upsampler": upsampler, **options}
    )


@pytest.mark.parametrize("upscale", [2, 3, 4])
def test_pixelshuffle_is_msrresnet(upscale):
    torch.manual_seed(0)
    options = {"num_feat": 8, "num_block": 2, "upscale": upscale}
    baseline = build_network({"type": "MSRResNet", **options})
    network = build("pixelshuffle", **options)
    network.load_state_dict(baseline.state_dict(), strict=True)
    x = torch.rand(2, 3, 6, 5)
    assert torch.equal(network(x), baseline(x))


def test_it_starts_at_the_scale_of_msrresnet():
    baseline, network = build_network({"type": "MSRResNet"}), build("pixelshuffle", num_feat=64, num_block=16)
    for (key, value), other in zip(baseline.state_dict().items(), network.state_dict().values(), strict=True):
        torch.testing.assert_close(value.std(), other.std(), rtol=0.2, atol=1e-3, msg=key, equal_nan=True)


@pytest.mark.parametrize("upscale", [2, 3, 4, 8])
@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_upscales_and_every_parameter_is_trained(upsampler, upscale):
    network = build(upsampler, upscale=upscale)
    x = torch.rand(2, 3, 4, 3)
    assert network(x).shape == (2, 3, 4 * upscale, 3 * upscale)
    with torch.no_grad():  # with a kernel of sum 1, the nearest prior is the solution for any lam
        [module.weight.mul_(1.5) for module in network.modules() if isinstance(module, Converse2D)]
    network(x).square().mean().backward()
    still = [key for key, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert still == []


@pytest.mark.parametrize("scale", SCALES)
def test_carafe_with_equal_weights_is_the_nearest_local_mean(scale):
    layer, x = Carafe(3, scale), torch.rand(2, 3, 7, 6)
    nn.init.zeros_(layer.encoder.weight)
    torch.testing.assert_close(layer(x), F.interpolate(F.avg_pool2d(x, 5, 1, 2), scale_factor=scale))


@pytest.mark.parametrize("scale", SCALES)
def test_carafe_reassembles_with_the_weights_of_its_place(scale):
    layer, x = Carafe(3, scale, kernel_size=3).double(), torch.rand(2, 3, 5, 4).double()
    nn.init.normal_(layer.encoder.weight)
    logits = F.pixel_shuffle(layer.encoder(layer.compressor(x)), scale)  # one k x k kernel for each output sample
    padded, expected = F.pad(x, (1, 1, 1, 1)), torch.zeros(2, 3, 5 * scale, 4 * scale).double()
    for row in range(5 * scale):
        for column in range(4 * scale):
            top, left = row // scale, column // scale
            weight = logits[:, :, row, column].softmax(1).unflatten(1, (1, 3, 3))
            expected[..., row, column] = (padded[..., top : top + 3, left : left + 3] * weight).sum((-2, -1))
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("scale", SCALES)
def test_dysample_starts_as_bilinear(scale):
    x = torch.rand(2, 8, 7, 6)
    expected = F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
    torch.testing.assert_close(DySample(8, scale)(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1])
def test_dysample_moves_its_points_by_the_offsets_times_the_scope(axis):
    layer, x = DySample(8, 2, groups=2, scope=0.25), torch.rand(1, 8, 7, 6)
    with torch.no_grad():
        layer.offset.bias.unflatten(0, (2, 2, 4))[1, axis] = 4.0  # the second group, by one input sample
    moved, still = layer(x), DySample(8, 2)(x)
    torch.testing.assert_close(moved[:, :4], still[:, :4])
    shifted = still[:, 4:, :, 2:] if axis == 0 else still[:, 4:, 2:]
    torch.testing.assert_close(moved[:, 4:, : shifted.shape[2], : shifted.shape[3]], shifted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_converse_is_the_layer(scale):
    conv, up = build_upsampler("converse", 4, scale)
    assert isinstance(up, Converse2D) and (conv.in_channels, conv.out_channels) == (4, 4)
    layer = Converse2D(4, 4, scale, scale, padding=2, padding_mode="replicate", eps=1e-3)
    layer.load_state_dict(up.state_dict())
    x = torch.rand(1, 4, 6, 5)
    assert torch.equal(up(x), layer(x))


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
@pytest.mark.parametrize("upscale", [4, 8])
def test_one_step_has_the_whole_factor(upsampler, upscale):
    network = build(upsampler, upscale=upscale, single_step=True)
    assert network(torch.rand(1, 3, 4, 3)).shape == (1, 3, 4 * upscale, 3 * upscale)
    assert not hasattr(network, "up2")


@pytest.mark.parametrize(("single_step", "kernel_size"), [(False, 3), (False, 4), (True, 4), (True, 8)])
def test_the_kernel_size_of_converse(single_step, kernel_size):
    network = build("converse", upscale=4, single_step=single_step, up_kernel_size=kernel_size)
    sizes = {module.weight.shape[-1] for module in network.modules() if isinstance(module, Converse2D)}
    assert sizes == {kernel_size} and network(torch.rand(1, 3, 4, 3)).shape == (1, 3, 16, 12)


def test_the_benchmark_compares_each_of_them_and_nothing_else():
    models = yaml.safe_load((REPOSITORY / "options/benchmark/upsamplers.yml").read_text())["models"].values()
    assert [model["upsampler"] for model in models] == list(UPSAMPLERS)
    assert len({str({**model, "upsampler": None}) for model in models}) == 1
    for model in models:
        build_network(dict(model))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"upsampler": "bicubic"}, "upsampler must be one of pixelshuffle, conv_transpose, .* got 'bicubic'"),
        ({"upsampler": "dysample", "num_feat": 6}, "dysample needs num_feat to be a multiple of 4, got 6"),
        (
            {"upsampler": "dysample", "up_kernel_size": 4},
            "can be chosen with upsampler 'converse' only, got 'dysample'",
        ),
        ({"upsampler": "converse", "single_step": 4}, "single_step must be True or False, got 4"),
        ({"upsampler": "carafe", "upscale": 5}, "upscale must be one of 2, 3, 4, 8, got 5"),
        ({"upsampler": "converse", "num_in_ch": 4}, r"the skip needs num_in_ch 1 or num_out_ch \(3\), got 4"),
    ],
)
def test_errors_name_the_value(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
