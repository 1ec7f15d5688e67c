"""The options of the paper's ablations, on every Converse network."""

import pytest
import torch

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr import Converse2D
from converse_basicsr.layers.converse2d import PSF_INITS

from basicsr.utils.registry import ARCH_REGISTRY

NAMES = ["ConverseDnCNN", "ConverseSRResNet", "ConverseNet", "ConverseUSRNet"]


def build(name, **options):
    torch.manual_seed(0)
    upscale = {"upscale": 2} if name == "ConverseSRResNet" else {}
    return ARCH_REGISTRY.get(name)(**{"num_feat": 4, "num_block": 1, **upscale, **options}).double()


def random_state(network):
    """Random parameters: kernels whose sum is not 1 (that would hide lam), and no zeros (they hide what follows)."""
    generator = torch.Generator().manual_seed(1)
    return {
        key: value + 0.1 * torch.randn(value.shape, generator=generator, dtype=value.dtype)
        for key, value in network.state_dict().items()
    }


def run(network):
    """Output, and the gradients by parameter name (None where there is none)."""
    generator = torch.Generator().manual_seed(2)
    name = type(network).__name__
    channels = 1 if name == "ConverseDnCNN" else 3
    inputs = [torch.rand(1, channels, 11, 9, generator=generator, dtype=torch.float64)]
    if name == "ConverseUSRNet":
        inputs += [torch.full((1, 1, 7, 7), 1 / 49, dtype=torch.float64), 2]
    y = network(*inputs)
    y.square().mean().backward()
    return y.detach(), {key: parameter.grad for key, parameter in network.named_parameters()}


def operators(network):
    return [module for module in network.modules() if isinstance(module, Converse2D)]


def lam_keys(network):
    """The parameters that set a weight of the prior."""
    biases = {id(operator.bias) for operator in operators(network)}
    return {key for key, value in network.named_parameters() if id(value) in biases or key == "d.alpha"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "switch",
    [{"prior": "zero"}, {"eps": 0.5}, {"padding": 3}, {"padding_mode": "reflect"}, {"fast_size": True}],
    ids=str,
)
def test_with_equal_parameters_a_switch_changes_output_and_gradients(name, switch):
    before, after = build(name), build(name, **switch)
    state = random_state(before)
    results = []
    for network in (before, after):
        network.load_state_dict(state)
        results.append(run(network))
    (y, grads), (other_y, other_grads) = results
    assert (y - other_y).abs().max() > 1e-7
    assert all((grads[key] - other_grads[key]).abs().max() > 1e-12 for key in grads)


@pytest.mark.parametrize("name", ["ConverseSRResNet", "ConverseUSRNet"])
def test_where_upsampling_the_prior_may_be_interpolated(name):
    state, outputs = random_state(build(name)), []
    for prior in ("nearest", "bilinear", "bicubic"):
        network = build(name, prior=prior)
        network.load_state_dict(state)
        outputs.append(run(network)[0])
    nearest, bilinear, bicubic = outputs
    assert min((nearest - bilinear).abs().max(), (bilinear - bicubic).abs().max()) > 1e-7


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("psf_init", PSF_INITS)
def test_psf_init(name, psf_init):
    for operator in operators(build(name, num_feat=64, psf_init=psf_init)):
        psf, k = operator.weight, operator.kernel_size
        if psf_init == "softmax":
            assert (psf > 0).all()
            torch.testing.assert_close(psf.sum((-2, -1)), torch.ones_like(psf[..., 0, 0]), rtol=0, atol=1e-5)
            continue
        deviation, largest = (1 / k / 3**0.5, 1 / k) if psf_init == "uniform" else (1 / k, 6 / k)
        assert abs(psf.std() / deviation - 1) < 0.2
        assert abs(psf.mean()) < deviation / 4
        assert deviation < psf.abs().max() <= largest


@pytest.mark.parametrize("name", NAMES)
def test_lam_can_be_fixed(name):
    learning, fixed = build(name), build(name, learn_lam=False)
    assert list(fixed.state_dict()) == list(learning.state_dict())
    state = random_state(learning)
    learning.load_state_dict(state)
    fixed.load_state_dict(state)
    (y, grads), (other_y, other_grads) = run(learning), run(fixed)
    torch.testing.assert_close(y, other_y, rtol=0, atol=0)
    without = {key for key, grad in other_grads.items() if grad is None}
    assert without == lam_keys(fixed)
    for key, grad in grads.items():
        if key not in without:
            torch.testing.assert_close(other_grads[key], grad)
        else:
            assert grad.any()
    torch.optim.SGD(fixed.parameters(), lr=1.0, weight_decay=0.1).step()
    for key, value in fixed.state_dict().items():
        assert torch.equal(value, state[key]) == (key in without)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spatial_op", ["conv", "conv_transpose"])
def test_conv_variants_ignore_the_other_options_of_converse2d(name, spatial_op):
    plain = build(name, spatial_op=spatial_op)
    switched = build(
        name, spatial_op=spatial_op, prior="zero", psf_init="gaussian", learn_lam=False, fast_size=True, eps=0.5
    )
    (y, _), (other, grads) = run(plain), run(switched)
    assert torch.equal(y, other)
    assert all(grad is not None for grad in grads.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kernel_size", [3, 5, 7, 9])
def test_kernel_sizes_and_their_padding(name, kernel_size):
    options = {"kernel_size": kernel_size, "padding_mode": "replicate"}
    default, stated, other = (
        build(name, **options, **padding) for padding in ({}, {"padding": kernel_size - 1}, {"padding": 1})
    )
    state = random_state(default)
    for network in (default, stated, other):
        network.load_state_dict(state)
    assert {o.kernel_size for o in operators(default)} - {2} == {kernel_size}
    (y, grads), (same, _), (changed, _) = run(default), run(stated), run(other)
    assert torch.isfinite(y).all() and all(grad.any() for grad in grads.values())
    assert torch.equal(y, same)
    assert (y - changed).abs().max() > 1e-7


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"prior": "mean"}, "prior 'mean' is not known"),
        ({"psf_init": "normal"}, "psf_init must be one of softmax, uniform, gaussian, got 'normal'"),
        ({"learn_lam": "no"}, "learn_lam must be True or False, got 'no'"),
        ({"fast_size": 1}, "fast_size must be True or False, got 1"),
    ],
)
def test_a_wrong_value_is_named(name, option, message):
    with pytest.raises(ValueError, match=message):
        build(name, **option)
