"""A block evaluated in parts, and trained with use_checkpoint: the same results as its modules one after the other."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from converse_basicsr import Converse2D, ConverseBlock
from converse_basicsr.layers import branch_checkpointed, branch_in_parts
from converse_basicsr.layers.activation import gelu_after
from converse_basicsr.layers.pointwise import PointwiseConv2d
from converse_basicsr.layers.residual_branch import add_branch
from converse_basicsr.networks import ConverseDnCNN, ConverseNet, ConverseSRResNet, ConverseUSRNet

OPTIONS = [
    {},
    {"residual_gain": True},
    {"prior": "zero", "padding_mode": "circular"},
    {"fast_size": True},
    {"kernel_size": 4, "padding": 0},
]
NETWORKS = [ConverseDnCNN, ConverseNet, ConverseSRResNet, ConverseUSRNet]


def build(**options) -> ConverseBlock:
    torch.manual_seed(0)
    block = ConverseBlock(6, **{"kernel_size": 3, **options}).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block


def module_by_module(block: ConverseBlock, x: torch.Tensor) -> torch.Tensor:
    for branch, gain in ((block.conv1, block.alpha1), (block.conv2, block.alpha2)):
        out = branch(x)
        x = x + (out if gain is None else gain * out)
    return x


@pytest.fixture
def in_small_parts(monkeypatch):
    """Parts so small that a small image has several of each kind."""
    for name, value in (("SAMPLE_BYTES", 0), ("STRIP", 50), ("GROUP_BYTES", 0), ("CHUNK_BYTES", 0), ("LEAST_CHUNK", 3)):
        monkeypatch.setattr(branch_in_parts, name, value)
    monkeypatch.setattr(branch_checkpointed, "GROUP_BYTES", 4000)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_evaluation_in_parts_is_the_modules(in_small_parts, options, batch):
    block = build(**options)
    x = torch.randn(batch, 6, 13, 16, dtype=torch.float64)
    before = x.clone()
    with torch.no_grad():
        torch.testing.assert_close(block(x), module_by_module(block, x), rtol=1e-10, atol=1e-10)
    assert torch.equal(x, before)


@pytest.mark.parametrize("branch", ["conv1", "conv2"])
def test_a_branch_takes_the_place_of_its_input_only_if_it_may(in_small_parts, branch):
    layers, x = getattr(build(), branch), torch.randn(2, 6, 13, 16, dtype=torch.float64)
    before = x.clone()
    with torch.no_grad():
        expected = x + layers(x)
        torch.testing.assert_close(add_branch(x, layers, None), expected, rtol=1e-10, atol=1e-10)
        assert torch.equal(x, before)
        torch.testing.assert_close(add_branch(x, layers, None, reuse=True), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layout", ["channels_last", "strided", "inference"])
def test_evaluation_in_parts_of_other_layouts(in_small_parts, layout):
    block = build()
    x = torch.randn(2, 6, 26, 16, dtype=torch.float64)
    x = x.contiguous(memory_format=torch.channels_last) if layout == "channels_last" else x[:, :, ::2]
    with torch.inference_mode(layout == "inference"), torch.no_grad():
        torch.testing.assert_close(block(x), module_by_module(block, x.contiguous()), rtol=1e-10, atol=1e-10)


def test_the_thresholds_are_reached_by_a_real_size():
    """64 channels, float32, a size with a power of two between planes: nothing is patched."""
    torch.manual_seed(0)
    block, x = ConverseBlock(64, 3).eval(), torch.randn(1, 64, 192, 192)
    assert branch_in_parts.is_large(x)
    with torch.no_grad():
        torch.testing.assert_close(block(x), module_by_module(block, x), rtol=1e-5, atol=1e-5)


def test_a_hook_is_called_where_parts_would_skip_it(in_small_parts):
    block, called = build(), []
    block.conv1[3].register_forward_hook(lambda *_: called.append(1))
    with torch.no_grad():
        block(torch.randn(1, 6, 13, 16, dtype=torch.float64))
    assert called == [1]


@pytest.mark.parametrize("options", [*OPTIONS, {"spatial_op": "conv"}], ids=str)
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("parts", [True, False])
def test_use_checkpoint_gives_the_same_gradients(request, options, batch, parts):
    if parts:
        request.getfixturevalue("in_small_parts")
    x = torch.randn(batch, 6, 13, 16, dtype=torch.float64, requires_grad=True)
    results = []
    for use_checkpoint in (False, True):
        block = build(use_checkpoint=use_checkpoint, **options)
        y = block(x)
        results.append((y, *torch.autograd.grad(y.sin().sum(), (x, *block.parameters()))))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def saved_bytes(network: nn.Module, *inputs) -> int:
    sizes = {}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda saved: sizes.update({saved.untyped_storage().data_ptr(): saved.untyped_storage().nbytes()}),
        lambda _: None,
    ):
        network(*inputs)
    return sum(sizes.values())


@pytest.mark.parametrize("arch", NETWORKS)
def test_use_checkpoint_of_a_network_keeps_less_and_gives_the_same_gradients(arch):
    results, kept = [], []
    for use_checkpoint in (False, True):
        torch.manual_seed(0)
        network = arch(num_feat=8, num_block=3, use_checkpoint=use_checkpoint)
        nn.init.normal_(list(network.parameters())[-1])
        inputs = [torch.rand(2, network.in_channels, 16, 16)]
        if arch is ConverseUSRNet:
            inputs.append(torch.full((2, 1, 7, 7), 1 / 49))
        kept.append(saved_bytes(network, *inputs))
        results.append(
            torch.autograd.grad(network(*inputs).square().sum(), list(network.parameters()), allow_unused=True)
        )
    for found, expected in zip(*results, strict=True):
        if expected is not None:
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max()))
    assert kept[1] < 0.7 * kept[0]


def test_use_checkpoint_must_be_a_flag():
    with pytest.raises(ValueError, match="use_checkpoint must be True or False, got 'yes'"):
        ConverseBlock(4, use_checkpoint="yes")


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_use_checkpoint_under_autocast(dtype):
    x = torch.randn(2, 6, 13, 16, requires_grad=True)
    results = []
    for use_checkpoint in (False, True):
        block = build(use_checkpoint=use_checkpoint).float()
        with torch.autocast("cpu", dtype):
            y = block(x)
        results.append(torch.autograd.grad(y.float().sum(), (x, *block.parameters())))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


def test_large_filters_and_features_are_built_again(monkeypatch):
    """The gradients of both orders do not depend on whether they are kept or built again."""
    from converse_basicsr.layers import residual_branch
    from converse_basicsr.ops import filtering

    x = torch.randn(2, 6, 7, 6, dtype=torch.float64, requires_grad=True)
    results = []
    for least in (1 << 40, 0):
        monkeypatch.setattr(filtering, "REBUILT_BYTES", least)
        monkeypatch.setattr(residual_branch, "REBUILT_BYTES", least)
        block = build()
        inputs = (x, *block.parameters())
        y = block(x)
        grads = torch.autograd.grad(y.sin().sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum(grad.square().sum() for grad in grads), inputs)
        results.append((y, *torch.autograd.grad(block(x).sin().sum(), inputs), *grads, *second))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_gelu_after_a_module_spares_what_others_hold():
    x = torch.randn(1, 3, 4, 4)
    conv, before, seen = PointwiseConv2d(3, 3), x.clone(), []
    with torch.no_grad():
        expected = F.gelu(conv(x))
        torch.testing.assert_close(gelu_after(conv, x), expected)
        torch.testing.assert_close(gelu_after(nn.Identity(), x), F.gelu(before))
        conv.register_forward_hook(lambda module, inputs, output: seen.append(output))
        torch.testing.assert_close(gelu_after(conv, x), expected)
    assert torch.equal(x, before)
    torch.testing.assert_close(F.gelu(seen[0]), expected)


@pytest.mark.parametrize("changed", ["psf", "bias"])
def test_parameters_changed_before_the_backward_are_an_error(changed):
    """Not a wrong gradient: what is built again must be what it was."""
    torch.manual_seed(0)
    block = ConverseBlock(64, 3)
    x = torch.randn(2, 64, 96, 96, requires_grad=True)
    loss = block(x).square().sum()
    with torch.no_grad():
        (block.conv1[3].weight if changed == "psf" else block.conv1[1].bias).add_(0.1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, x)


def test_a_backward_under_autocast_builds_filters_in_float32():
    torch.manual_seed(0)
    layer = Converse2D(48, 48, 5, padding=4)
    y = torch.randn(1, 48, 140, 140, requires_grad=True)
    (expected,) = torch.autograd.grad(layer(y).square().sum(), y)
    loss = layer(y).square().sum()
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = torch.autograd.grad(loss, y)
    torch.testing.assert_close(found, expected)


def test_use_checkpoint_repeats_random_modules():
    results = []
    for use_checkpoint in (False, True):
        block = build(use_checkpoint=use_checkpoint)
        block.conv1[2] = nn.Sequential(nn.GELU(), nn.Dropout(0.5))
        x = torch.ones(1, 6, 13, 16, dtype=torch.float64, requires_grad=True)
        torch.manual_seed(1)
        results.append(torch.autograd.grad(block(x).sin().sum(), x)[0])
    torch.testing.assert_close(*results)


def test_global_hooks_see_what_was_before_the_gelu():
    network, seen = ConverseSRResNet(num_feat=8, num_block=1, upscale=2).eval(), {}
    handle = nn.modules.module.register_module_forward_hook(lambda module, _, output: seen.update({module: output}))
    with torch.no_grad():
        x = torch.rand(1, 3, 16, 16)
        network(x)
    handle.remove()
    torch.testing.assert_close(seen[network.conv_first], network.conv_first(x).detach())
