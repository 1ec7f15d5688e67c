"""torch.compile: the operator in one graph, with equal results and gradients."""

import pytest
import torch

from converse_basicsr import Converse2D, ConverseBlock, converse2d

pytestmark = pytest.mark.filterwarnings("ignore")  # of the compiler: complex operators are not fused


@pytest.fixture(autouse=True)
def _reset():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def compare(function, compiled, *inputs, parameters=()):
    results = []
    for call in (function, compiled):
        leaves = [x.detach().clone().requires_grad_() for x in inputs]
        y = call(*leaves)
        grads = torch.autograd.grad(y.square().sum(), [*leaves, *parameters])
        results.append([y.detach(), *grads])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("batch", "kernel_size", "scale"), [(1, 5, 1), (2, 5, 1), (2, 2, 2), (1, 3, 3), (2, 5, 2)])
def test_layer(batch, kernel_size, scale):
    torch.manual_seed(0)
    layer = Converse2D(2, 2, kernel_size, scale, padding=2, padding_mode="replicate", eps=1e-2)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    compare(layer, compiled, torch.randn(batch, 2, 9, 8), parameters=tuple(layer.parameters()))
    with torch.no_grad():
        torch.testing.assert_close(compiled(torch.ones(batch, 2, 9, 8)), layer(torch.ones(batch, 2, 9, 8)))


@pytest.mark.parametrize(("kernel_size", "scale"), [(5, 1), (2, 2), (3, 3), (5, 2)])
def test_layer_with_dynamic_shapes(kernel_size, scale):
    torch.manual_seed(0)
    layer = Converse2D(2, 2, kernel_size, scale, padding=2, padding_mode="replicate", eps=1e-2)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True, dynamic=True)
    for shape in ((4, 2, 9, 8), (2, 2, 12, 11)):
        compare(layer, compiled, torch.randn(shape), parameters=tuple(layer.parameters()))


def test_function_with_a_psf_per_sample_and_another_prior():
    psf = torch.rand(2, 3, 5, 5)

    def function(y):
        return converse2d(y, psf, 0.1, 2, "bilinear")

    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    compare(function, compiled, torch.randn(2, 3, 6, 7))


def test_block():
    torch.manual_seed(0)
    block = ConverseBlock(4, 3)
    compiled = torch.compile(block, backend="aot_eager", fullgraph=True)
    compare(block, compiled, torch.randn(2, 4, 8, 8), parameters=tuple(block.parameters()))
