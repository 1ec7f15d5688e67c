"""Converse2D and ConverseBlock as modules: golden outputs and gradients, state dicts, options, bad input."""

import json

import pytest
import torch
from torch import nn

from converse_basicsr import Converse2D, ConverseBlock, converse2d
from converse_basicsr.layers import LayerNorm2d
from converse_basicsr.layers.converse2d import PSF_INITS
from converse_basicsr.ops.padding import PADDING_MODES


@pytest.mark.parametrize("case", range(10))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_converse2d_golden(assets, golden, case, dtype):
    options = json.loads((assets / "golden/converse2d.json").read_text())[case]
    tensors = {
        key.removeprefix(f"case{case}_"): value.to(dtype)
        for key, value in golden("converse2d").items()
        if key.startswith(f"case{case}_")
    }
    channels = options["channels"]
    names = ("kernel_size", "scale", "padding", "padding_mode", "eps")
    layer = Converse2D(channels, channels, **{name: options[name] for name in names}).to(dtype)
    layer.load_state_dict({"weight": tensors["weight"], "bias": tensors["bias"]})
    x = tensors["x"].requires_grad_()
    y = layer(x)
    y.backward(tensors["grad_y"])
    tolerance = 1e-9 if dtype == torch.float64 else 2e-6
    found = {"y": y.detach(), "grad_x": x.grad, "grad_weight": layer.weight.grad, "grad_bias": layer.bias.grad}
    for name, value in found.items():
        limit = tolerance * tensors[name].abs().max().clamp(min=1).item() * (10 if name != "y" else 1)
        torch.testing.assert_close(value, tensors[name], rtol=0, atol=limit, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("name", ["converse_block", "converse_block_alpha"])
def test_converse_block_golden(golden, name):
    tensors = golden(name)
    block = ConverseBlock(6, 5, residual_gain=name.endswith("alpha")).double()
    block.load_state_dict({key[3:]: value for key, value in tensors.items() if key.startswith("sd_")})
    torch.testing.assert_close(block(tensors["x"]), tensors["y"], rtol=0, atol=1e-9)


def test_converse2d_state_dict():
    shapes = {name: tuple(value.shape) for name, value in Converse2D(6, 6, 5).state_dict().items()}
    assert shapes == {"weight": (1, 6, 5, 5), "bias": (1, 6, 1, 1)}


def test_converse2d_is_the_operator_on_the_padded_torus():
    layer = Converse2D(3, 3, 4, scale=2, padding=3, padding_mode="replicate", eps=1e-2).double()
    y = torch.randn(2, 3, 7, 6, dtype=torch.float64)
    padded = nn.functional.pad(y, (3, 3, 3, 3), "replicate")
    lam = torch.sigmoid(layer.bias - 9) + 1e-2
    expected = converse2d(padded, layer.weight, lam, 2)[..., 6:-6, 6:-6]
    torch.testing.assert_close(layer(y), expected)


def test_softmax_init_is_a_psf():
    torch.manual_seed(0)
    layer = Converse2D(8, 8, 5)
    assert (layer.weight > 0).all()
    torch.testing.assert_close(layer.weight.sum((-2, -1)), torch.ones(1, 8))
    assert layer.weight.std() > 0
    assert not layer.bias.any()


def outputs_of(**options):
    torch.manual_seed(0)
    layer = Converse2D(2, 2, **{"kernel_size": 3, "scale": 2, **options}).double()
    generator = torch.Generator().manual_seed(1)
    y = torch.randn(1, 2, 9, 8, generator=generator, dtype=torch.float64)
    return layer(y)


@pytest.mark.parametrize(
    "changed",
    [
        {"kernel_size": 4},
        {"scale": 3},
        {"padding": 0},
        {"eps": 1e-2},
        *({"padding_mode": mode} for mode in PADDING_MODES if mode != "circular"),
        *({"prior": prior} for prior in ("zero", "bilinear", "bicubic")),
        *({"psf_init": init} for init in PSF_INITS if init != "softmax"),
    ],
    ids=str,
)
def test_every_option_changes_the_output(changed):
    before, after = outputs_of(), outputs_of(**changed)
    assert before.shape != after.shape or (before - after).abs().max() > 1e-6


def test_prior_given_at_call_time():
    layer = Converse2D(2, 2, 3, scale=2, padding=2, padding_mode="replicate").double()
    with torch.no_grad():
        layer.bias.fill_(30)  # lam close to 1
    y, x0 = torch.randn(1, 2, 6, 5).double(), torch.randn(1, 2, 12, 10).double()
    nearest = y.repeat_interleave(2, -2).repeat_interleave(2, -1)
    torch.testing.assert_close(layer(y, nearest), layer(y))
    assert (layer(y, x0) - layer(y)).abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_returns_the_input_dtype(dtype):
    layer = Converse2D(2, 2, 3)
    y = torch.randn(1, 2, 6, 5)
    with torch.autocast("cpu", dtype):
        assert torch.equal(layer(y), layer(y.float()))
        assert layer(y.to(dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out_channels": 4}, r"Converse2D is depthwise: out_channels \(4\) must be 2"),
        ({"kernel_size": 0}, "kernel_size must be an integer of 1 or more, got 0"),
        ({"scale": 1.5}, "scale must be an integer of 1 or more, got 1.5"),
        ({"padding": -1}, "padding must be an integer of 0 or more, got -1"),
        ({"padding_mode": "zeros"}, "padding_mode must be one of circular, reflect, replicate, constant, got 'zeros'"),
        ({"eps": 0}, "eps must be a number above 0, got 0"),
        ({"prior": "mean"}, "prior 'mean' is not known; it must be one of nearest, zero"),
        ({"psf_init": "normal"}, "psf_init must be one of softmax, uniform, gaussian, got 'normal'"),
        ({"learn_lam": "no"}, "learn_lam must be True or False, got 'no'"),
        ({"fast_size": 1}, "fast_size must be True or False, got 1"),
    ],
)
def test_errors_name_the_value(options, message):
    with pytest.raises(ValueError, match=message):
        Converse2D(**{"in_channels": 2, "out_channels": 2, "kernel_size": 3, **options})


@pytest.mark.parametrize(("mode", "needed"), [("circular", 4), ("reflect", 5)])
def test_too_small_an_input_is_named(mode, needed):
    layer = Converse2D(2, 2, 3, padding=4, padding_mode=mode)
    layer(torch.zeros(1, 2, needed, needed))
    with pytest.raises(ValueError, match=f"3x9 is too small for {mode} padding of 4: at least {needed}x{needed}"):
        layer(torch.zeros(1, 2, 3, 9))


def test_a_prior_of_another_size_is_named():
    with pytest.raises(ValueError, match=r"x0 must be \(1, 2, 12, 10\), got \(1, 2, 6, 5\)"):
        Converse2D(2, 2, 3, scale=2)(torch.zeros(1, 2, 6, 5), torch.zeros(1, 2, 6, 5))


@pytest.mark.parametrize("shape", [(2, 1, 9, 9), (2, 4, 9, 9), (3, 9, 9)])
def test_another_number_of_channels_is_named(shape):
    with pytest.raises(ValueError, match=r"y must be \(N, 3, h, w\), got \("):
        Converse2D(3, 3, 5)(torch.zeros(shape))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Converse2D(4, 4, 5, padding=2),
        lambda: Converse2D(4, 4, 5, scale=2),
        lambda: Converse2D(4, 4, 2, scale=2),
        lambda: ConverseBlock(4),
        lambda: ConverseBlock(4, residual_gain=True),
    ],
    ids=["scale 1", "scale 2", "blockwise", "block", "block with gains"],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_channels_last_changes_nothing(make, batch):
    torch.manual_seed(0)
    layer = make().double()
    for parameter in layer.parameters():  # among them gains that start at zero
        nn.init.normal_(parameter, std=0.3)
    y = torch.randn(batch, 4, 9, 8).double()
    results = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        leaf = y.clone(memory_format=memory_format).requires_grad_()
        x = layer(leaf)
        results.append([x, *torch.autograd.grad(x.sin().sum(), [leaf, *layer.parameters()])])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("options", [{}, {"scale": 2}, {"scale": 2, "prior": "bicubic"}], ids=str)
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_result_may_be_changed_in_place(options, frozen, batch):
    layer = Converse2D(2, 2, 5, padding=4, **options).requires_grad_(not frozen)
    y = torch.randn(batch, 2, 8, 8, requires_grad=True)
    nn.Sequential(layer, nn.ReLU(inplace=True))(y).sum().backward()
    found = y.grad
    (expected,) = torch.autograd.grad(layer(y).relu().sum(), y)
    torch.testing.assert_close(found, expected)


def test_layer_norm_is_per_pixel_over_channels():
    norm = LayerNorm2d(5, eps=1e-3).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    normal = (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, unbiased=False) + 1e-3).sqrt()
    torch.testing.assert_close(norm(x), normal * norm.weight.view(1, 5, 1, 1) + norm.bias.view(1, 5, 1, 1))


@pytest.mark.parametrize(
    "changed",
    [
        {"kernel_size": 3},
        {"padding": 1},
        {"padding_mode": "circular"},
        {"eps": 0.5},
        {"prior": "zero"},
        {"psf_init": "uniform"},
        {"psf_init": "gaussian"},
        {"fast_size": True},
        {"residual_gain": True},
    ],
    ids=str,
)
def test_every_option_changes_the_block(changed):
    def output(**options):
        torch.manual_seed(0)
        block = ConverseBlock(4, **options).double()
        return block(torch.linspace(-1, 1, 4 * 81, dtype=torch.float64).sin().view(1, 4, 9, 9))  # 17 with padding

    assert (output() - output(**changed)).abs().max() > 1e-6


def test_block_gains_start_at_the_identity():
    block = ConverseBlock(4, residual_gain=True)
    x = torch.randn(1, 4, 9, 9)
    assert torch.equal(block(x), x)
    assert tuple(block.alpha1.shape) == tuple(block.alpha2.shape) == (1, 4, 1, 1)
