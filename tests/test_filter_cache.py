"""The filters cached in evaluation: reused when possible, and never stale."""

import copy
import io
import pickle
import sys
import threading

import pytest
import torch

from converse_basicsr import Converse2D

module = sys.modules["converse_basicsr.ops.converse2d"]  # the name in the package is the function
Y = torch.randn(2, 3, 9, 10, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def builds(monkeypatch):
    """How many filter banks were built."""
    count = []
    original = module.filter_bank

    def counted(*args):
        count.append(args)
        return original(*args)

    monkeypatch.setattr(module, "filter_bank", counted)
    return count


def make_layer(seed=0):
    torch.manual_seed(seed)
    return Converse2D(3, 3, 5, padding=4).eval()


def fresh(layer, y=Y):
    """What a new layer with the same parameters gives."""
    other = Converse2D(3, 3, 5, padding=4).to(layer.weight.dtype)
    other.load_state_dict(layer.state_dict())
    with torch.no_grad():
        return other(y)


@torch.no_grad()
def test_it_is_built_once_for_inputs_of_one_size(builds):
    layer = make_layer()
    first = layer(Y)
    for _ in range(3):
        assert torch.equal(layer(Y), first)
    assert len(builds) == 1


@torch.no_grad()
@pytest.mark.parametrize(
    "other",
    [Y[..., :-1], Y[..., :-1, :], Y.mT.contiguous(), Y[:1], Y.double()],
    ids=["width", "height", "transposed", "odd batch", "dtype"],
)
def test_another_grid_or_precision_is_another_filter(builds, other):
    layer = make_layer()
    layer(Y)
    torch.testing.assert_close(layer(other), fresh(layer, other), rtol=0, atol=0)
    assert len(builds) >= 2
    torch.testing.assert_close(layer(Y), fresh(layer), rtol=0, atol=0)


def add_in_place(layer):
    layer.weight.add_(0.1)


def add_to_data(layer):
    layer.weight.data.mul_(0.9).add_(0.02)


def add_to_bias_data(layer):
    layer.bias.data.add_(3.0)


def set_one_element(layer):
    layer.weight[0, 1, 2, 3] = 0.7


def load(layer):
    layer.load_state_dict(make_layer(seed=1).state_dict())


def assign(layer):
    layer.load_state_dict(make_layer(seed=1).state_dict(), assign=True)


def replace(layer):
    layer.weight = torch.nn.Parameter(make_layer(seed=2).weight.detach())


def through_numpy(layer):
    layer.weight.detach().numpy()[...] *= 0.5


def optimise(layer):
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    with torch.enable_grad():
        layer(Y).square().mean().backward()
    optimiser.step()


@torch.no_grad()
@pytest.mark.parametrize(
    "change",
    [
        add_in_place,
        add_to_data,
        add_to_bias_data,
        set_one_element,
        load,
        assign,
        replace,
        through_numpy,
        optimise,
        lambda layer: layer.double(),
        lambda layer: layer.to(torch.bfloat16),
    ],
)
def test_a_change_of_parameters_is_seen(change):
    layer = make_layer()
    before = layer(Y)
    change(layer)
    after = layer(Y)
    torch.testing.assert_close(after, fresh(layer), rtol=0, atol=0)
    assert not torch.equal(before, after) or layer.weight.dtype == torch.float64


@torch.no_grad()
@pytest.mark.parametrize(("name", "value"), [("prior", "zero"), ("eps", 0.5)])
def test_a_change_of_settings_is_seen(name, value):
    layer = make_layer()
    before = layer(Y)
    setattr(layer, name, value)
    other = Converse2D(3, 3, 5, padding=4, **{name: value})
    other.load_state_dict(layer.state_dict())
    assert torch.equal(layer(Y), other(Y))
    assert not torch.equal(layer(Y), before)


@torch.no_grad()
def test_training_clears_the_cache_and_large_filters_are_not_cached(monkeypatch):
    layer = make_layer()
    layer(Y)
    assert layer.filter_cache._entry is not None
    layer.train()
    assert layer.filter_cache._entry is None
    monkeypatch.setattr("converse_basicsr.ops.cache.MAX_BYTES", 100)
    expected = fresh(layer)
    assert torch.equal(layer.eval()(Y), expected)
    assert layer.filter_cache._entry is None


def test_nothing_is_cached_while_learning(builds):
    layer = make_layer()
    for _ in range(2):
        layer(Y).sum().backward()
    assert len(builds) == 2
    assert layer.weight.grad.abs().sum() > 0
    assert layer.filter_cache._entry is None


def test_frozen_parameters_let_gradients_to_the_input_through(builds):
    layer = make_layer().requires_grad_(False)
    with torch.inference_mode():
        layer(Y)
    y = Y.clone().requires_grad_()
    layer(y).square().sum().backward()
    kept = y.grad.clone()
    layer.requires_grad_(True)
    y.grad = None
    layer(y).square().sum().backward()
    torch.testing.assert_close(kept, y.grad)


@torch.no_grad()
def test_copies_and_pickles_start_empty_and_right():
    layer = make_layer()
    expected = layer(Y)
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), torch.load(buffer, weights_only=False)):
        assert other.filter_cache._entry is None
        other.weight.mul_(0.5)
        torch.testing.assert_close(other(Y), fresh(other), rtol=0, atol=0)
        assert torch.equal(layer(Y), expected)


def test_it_is_not_in_the_state_dict():
    layer = make_layer()
    with torch.no_grad():
        layer(Y)
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_threads_share_a_layer():
    layer = make_layer()
    inputs = [torch.randn(2, 3, 8 + i % 3, 9) for i in range(12)]
    with torch.no_grad():
        expected = [fresh(layer, y) for y in inputs]
    results = [None] * len(inputs)

    def work(start):
        with torch.no_grad():
            for i in range(start, len(inputs), 4):
                for _ in range(10):
                    results[i] = layer(inputs[i])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, value in zip(results, expected, strict=True):
        assert torch.equal(result, value)
