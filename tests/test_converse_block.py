"""ConverseBlock, fused or not, against its modules called one after the other."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from converse_basicsr import ConverseBlock
from converse_basicsr.layers.pointwise import PointwiseConv2d
from converse_basicsr.layers.residual_branch import add_branch


def build(**options):
    torch.manual_seed(0)
    block = ConverseBlock(3, kernel_size=3, **options).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block


def draw(*size):
    return torch.randn(*size, dtype=torch.float64)


def norm_by_torch(norm, x):
    return F.layer_norm(x.movedim(1, -1), norm.weight.shape, norm.weight, norm.bias, norm.eps).movedim(-1, 1)


def module_by_module(block, x):
    for (norm, *others), gain in ((block.conv1, block.alpha1), (block.conv2, block.alpha2)):
        branch = norm_by_torch(norm, x)
        for module in others:
            branch = F.conv2d(branch, module.weight, module.bias) if isinstance(module, nn.Conv2d) else module(branch)
        x = x + (branch if gain is None else gain * branch)
    return x


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("options", [{}, {"residual_gain": True}, {"spatial_op": "conv_transpose"}], ids=str)
def test_block_is_its_modules_with_all_gradients(options, batch):
    block = build(**options)
    x = draw(batch, 3, 5, 4).requires_grad_()
    upstream = draw(batch, 3, 5, 4)
    found, expected = block(x), module_by_module(block, x)
    torch.testing.assert_close(found, expected)
    inputs = (x, *block.parameters())
    for grad, other in zip(*(torch.autograd.grad(y, inputs, upstream) for y in (found, expected)), strict=True):
        torch.testing.assert_close(grad, other)


@pytest.mark.parametrize("frozen", [True, False])
def test_block_with_frozen_parameters_or_input(frozen):
    block = build().requires_grad_(not frozen)
    x = draw(2, 3, 5, 4).requires_grad_(frozen)
    inputs = (x,) if frozen else tuple(block.parameters())
    grads = (torch.autograd.grad(f(x).sin().sum(), inputs) for f in (block, lambda x: module_by_module(block, x)))
    for grad, other in zip(*grads, strict=True):
        torch.testing.assert_close(grad, other)


def test_hooks_on_every_module_fire():
    block, called = build(), []
    modules = [module for branch in (block.conv1, block.conv2) for module in branch]
    for module in modules:
        module.register_forward_hook(lambda module, *_: called.append(module))
    x = draw(2, 3, 5, 4)
    torch.testing.assert_close(block(x), module_by_module(build(), x))
    assert {id(module) for module in called} == {id(module) for module in modules}


@pytest.mark.parametrize("branch", ["conv1", "conv2"])
@pytest.mark.parametrize("position", [1, -1])
def test_a_pruned_convolution_learns(branch, position):
    block = build()
    conv = getattr(block, branch)[position]
    prune.l1_unstructured(conv, "weight", 0.5)
    optimiser = torch.optim.SGD([conv.weight_orig], 0.1)
    x, before = draw(2, 3, 5, 4), conv.weight.clone()
    for _ in range(2):
        optimiser.zero_grad()
        block(x).square().mean().backward()
        optimiser.step()
    block(x)
    assert torch.equal(conv.weight == 0, before == 0)
    assert not torch.equal(conv.weight, before)


def test_a_convolution_of_another_class_is_called():
    block = build()
    block.conv2[-1] = nn.Conv2d(6, 3, 1).double()
    block.conv2[1] = nn.Sequential(nn.Conv2d(3, 6, 1, bias=False)).double()
    x = draw(2, 3, 5, 4)
    middle = x + block.conv1(x)
    torch.testing.assert_close(block(x), middle + block.conv2(middle))


def test_in_place_modules_and_convolutions_without_bias():
    block = build()
    block.conv2[2] = nn.ReLU(inplace=True)
    block.conv1[1] = PointwiseConv2d(3, 6, bias=False).double()
    block.conv1[-1] = PointwiseConv2d(6, 3, bias=False).double()
    x = draw(2, 3, 5, 4).requires_grad_()
    grads = (torch.autograd.grad(f(x).sin().sum(), x)[0] for f in (block, lambda x: module_by_module(block, x)))
    torch.testing.assert_close(*grads)


def test_a_branch_without_activation():
    block = build()
    block.conv2 = nn.Sequential(block.conv2[0], block.conv2[1], block.conv2[3])
    x = draw(2, 3, 5, 4)
    middle = x + block.conv1(x)
    torch.testing.assert_close(block(x), middle + block.conv2(middle))


def test_a_replaced_forward_is_called():
    block = build()
    block.conv2[-1].forward = lambda x: torch.zeros_like(x[:, :3])
    x = draw(2, 3, 5, 4)
    torch.testing.assert_close(block(x), x + build().conv1(x))


def test_global_hooks_see_every_module():
    block, seen = build(), []
    handle = nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(module))
    block(draw(2, 3, 5, 4))
    handle.remove()
    assert {id(module) for module in block.modules()} == {id(module) for module in seen}


@pytest.mark.parametrize("shape", [(2, 1, 5, 4), (3, 5, 4)])
@pytest.mark.parametrize("learning", [True, False])
def test_another_shape_is_refused(shape, learning):
    with torch.set_grad_enabled(learning), pytest.raises(ValueError, match=r"x must be \(N, 3, H, W\), got \("):
        build()(draw(*shape))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_block_in_half_precision(dtype):
    block = build().float()
    x = torch.randn(2, 3, 5, 4)
    expected = block(x)
    torch.testing.assert_close(block.to(dtype)(x.to(dtype)).float(), expected, rtol=0.05, atol=0.2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_block_learns_under_autocast(dtype):
    block = build(residual_gain=True).float()
    x = torch.randn(2, 3, 5, 4, requires_grad=True)
    (expected,) = torch.autograd.grad(block(x).sum(), x)
    with torch.autocast("cpu", dtype):
        y = block(x)
    y.float().sum().backward()
    torch.testing.assert_close(x.grad, expected, rtol=0.1, atol=0.5)
    assert all(parameter.grad.abs().sum() > 0 for parameter in block.parameters())


@pytest.mark.parametrize("gain", [False, True])
def test_a_loss_of_the_result_and_of_its_gradients(gain):
    """A gradient penalty: the last backward combines first and second derivatives."""
    block = build(residual_gain=gain)
    x = draw(2, 3, 5, 4).requires_grad_()
    inputs = (x, *block.parameters())
    results = []
    for function in (block, lambda x: module_by_module(block, x)):
        y = function(x)
        grads = torch.autograd.grad(y.sin().sum(), inputs, create_graph=True)
        results.append(torch.autograd.grad(y.cos().sum() + sum(grad.square().sum() for grad in grads), inputs))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_second_derivatives():
    block = build()
    with torch.no_grad():
        block.conv1[0].eps = block.conv2[0].eps = 1e-2
    x = draw(2, 3, 2, 2).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, *_: add_branch(x, block.conv2, None), (x, *block.conv2.parameters()))


@pytest.mark.parametrize("name", ["conv1", "conv2"])
def test_hooks_on_a_branch_fire(name):
    block, called = build(), []
    x = draw(2, 3, 5, 4)
    expected = module_by_module(block, x)
    getattr(block, name).register_forward_hook(lambda module, inputs, output: called.append(output))
    torch.testing.assert_close(block(x), expected)
    assert len(called) == 1


@pytest.mark.parametrize("name", ["conv1", "conv2"])
def test_a_hook_may_change_a_branch(name):
    block = build()
    x = draw(2, 3, 5, 4)
    getattr(block, name).register_forward_hook(lambda module, inputs, output: 0 * output)
    other = build()
    middle = x if name == "conv1" else x + other.conv1(x)
    torch.testing.assert_close(block(x), middle if name == "conv2" else middle + other.conv2(middle))


@pytest.mark.parametrize("name", ["conv1", "conv2"])
@pytest.mark.parametrize("replacement", [nn.Identity(), nn.Sequential(nn.Conv2d(3, 3, 1)), nn.Sequential()], ids=repr)
def test_a_replaced_branch_is_called(name, replacement):
    block = build()
    setattr(block, name, replacement.double())
    x = draw(2, 3, 5, 4)
    middle = x + block.conv1(x)
    torch.testing.assert_close(block(x), middle + block.conv2(middle))
