"""torch.func, fake tensors and other ways of calling the operator that cannot see into autograd functions."""

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from torch._subclasses.fake_tensor import FakeTensorMode

from converse_basicsr import Converse2D, ConverseBlock, converse2d, converse2d_reference

CASES = [(1, 5, 1), (2, 5, 1), (2, 2, 2), (1, 3, 3), (2, 5, 2)]  # batch, kernel_size, scale


def problem(batch, kernel_size, scale):
    torch.manual_seed(0)
    y = torch.randn(batch, 2, 6, 7, dtype=torch.float64)
    psf = torch.rand(1, 2, kernel_size, kernel_size, dtype=torch.float64)
    return y, psf, torch.full((1, 2, 1, 1), 0.3, dtype=torch.float64)


@pytest.mark.parametrize(("batch", "kernel_size", "scale"), CASES)
def test_func_grad_and_jvp_match_reference(batch, kernel_size, scale):
    inputs = problem(batch, kernel_size, scale)
    tangents = tuple(torch.randn_like(x) for x in inputs)
    results = []
    for function in (converse2d, converse2d_reference):
        grads = torch.func.grad(lambda *a, f=function: f(*a, scale).sin().sum(), (0, 1, 2))(*inputs)
        value, tangent = torch.func.jvp(lambda *a, f=function: f(*a, scale), inputs, tangents)
        results.append([*grads, value, tangent])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("batch", "kernel_size", "scale"), CASES)
def test_vmap_over_psfs_is_a_loop(batch, kernel_size, scale):
    y, _, lam = problem(batch, kernel_size, scale)
    psfs = torch.rand(3, 1, 2, kernel_size, kernel_size, dtype=torch.float64)
    found = torch.func.vmap(lambda psf: converse2d(y, psf, lam, scale))(psfs)
    torch.testing.assert_close(found, torch.stack([converse2d(y, psf, lam, scale) for psf in psfs]))


@pytest.mark.parametrize("padding_mode", ["circular", "reflect", "replicate", "constant"])
def test_per_sample_gradients_of_a_block(padding_mode):
    torch.manual_seed(0)
    block = ConverseBlock(2, 3, padding_mode=padding_mode).double()
    parameters = dict(block.named_parameters())
    x = torch.randn(3, 2, 6, 7, dtype=torch.float64)

    def loss(parameters, sample):
        return torch.func.functional_call(block, parameters, (sample[None],)).square().sum()

    found = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    for i in range(3):
        expected = torch.autograd.grad(loss(parameters, x[i]), list(parameters.values()))
        for name, other in zip(parameters, expected, strict=True):
            torch.testing.assert_close(found[name][i], other)


def test_forward_mode_derivatives_outside_torch_func():
    y, psf, lam = problem(2, 5, 1)
    tangent = torch.randn_like(y)
    with forward_ad.dual_level():
        found = forward_ad.unpack_dual(converse2d(forward_ad.make_dual(y, tangent), psf, lam, x0="zero")).tangent
    torch.testing.assert_close(found, converse2d(tangent, psf, lam, x0="zero"))  # linear in y


def test_jvp_of_a_layer_matches_finite_differences():
    layer = Converse2D(2, 2, 5, padding=4, padding_mode="replicate").double()
    y, tangent = torch.randn(2, 2, 2, 7, 6, dtype=torch.float64)
    _, found = torch.func.jvp(layer, (y,), (tangent,))
    torch.testing.assert_close(found, layer(tangent).detach() + 0 * found)  # the layer is linear in y


@pytest.mark.parametrize(("batch", "kernel_size", "scale"), CASES)
def test_fake_tensors_leave_no_trace(batch, kernel_size, scale):
    def build():
        torch.manual_seed(0)
        return Converse2D(2, 2, kernel_size, scale, padding=3)

    size = (11 + batch, 13)  # no other test has cached a matrix of this size
    with FakeTensorMode():
        fake = build()(torch.randn(batch, 2, *size))
    layer = build()
    y = torch.randn(batch, 2, *size)
    assert fake.shape == layer(y).shape
    with torch.no_grad():
        assert torch.isfinite(layer.eval()(y)).all()


def test_a_default_device_leaves_no_trace():
    with torch.device("meta"):
        shape = Converse2D(2, 2, 5)(torch.empty(2, 2, 23, 19)).shape
    assert shape == (2, 2, 23, 19)
    assert torch.isfinite(Converse2D(2, 2, 5)(torch.randn(2, 2, 23, 19))).all()


@pytest.mark.parametrize(("kernel_size", "scale"), [(5, 1), (2, 2), (3, 3), (5, 2)])
@pytest.mark.parametrize("prior", ["nearest", "bicubic"])
def test_an_empty_batch(kernel_size, scale, prior):
    layer = Converse2D(2, 2, kernel_size, scale, prior=prior)
    y = torch.randn(0, 2, 6, 7, requires_grad=True)
    x = layer(y)
    assert x.shape == (0, 2, 6 * scale, 7 * scale)
    x.sum().backward()
    assert y.grad.shape == y.shape and not layer.weight.grad.any() and not layer.bias.grad.any()


@pytest.mark.filterwarnings("ignore")  # jit.trace is deprecated, and a trace serves inputs of one size
@pytest.mark.parametrize(("batch", "kernel_size", "scale"), CASES)
def test_a_trace_gives_the_same(batch, kernel_size, scale):
    layer = Converse2D(2, 2, kernel_size, scale, padding=3, padding_mode="replicate").double().eval()
    y, other = torch.randn(2, batch, 2, 9, 8, dtype=torch.float64)
    with torch.no_grad():
        layer(y)  # caches its filter
        traced = torch.jit.trace(layer, y, check_trace=False)
        torch.testing.assert_close(traced(other), layer(other))
        traced.weight.mul_(0.9)
        torch.testing.assert_close(traced(other), layer(other))


def test_an_empty_batch_with_a_prior_tensor():
    x0 = torch.randn(0, 2, 6, 7, requires_grad=True)
    Converse2D(2, 2, 5)(torch.randn(0, 2, 6, 7), x0).sum().backward()
    assert x0.grad.shape == x0.shape


@pytest.mark.parametrize(("kernel_size", "scale", "other"), [(5, 1, 6), (2, 2, 7), (3, 3, 7), (5, 2, 6)])
def test_export_with_dynamic_shapes(kernel_size, scale, other):
    """FFT paths pair samples, so a program exported for an even batch serves even batches."""
    layer = Converse2D(2, 2, kernel_size, scale, padding=3, padding_mode="replicate").double().eval()
    auto = torch.export.Dim.AUTO
    program = torch.export.export(
        layer, (torch.randn(4, 2, 9, 8, dtype=torch.float64),), dynamic_shapes={"y": {0: auto, 2: auto, 3: auto}}
    )
    y = torch.randn(other, 2, 11, 13, dtype=torch.float64)
    torch.testing.assert_close(program.module()(y), layer(y))


def test_an_empty_batch_passes_a_block():
    assert ConverseBlock(2, 3)(torch.randn(0, 2, 6, 7)).shape == (0, 2, 6, 7)
