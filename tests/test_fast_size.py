"""fast_size: exactly the operator on a torus made larger by the same padding, at the bottom and right."""

import pytest
import torch
import torch.nn.functional as F

from converse_basicsr import Converse2D, converse2d
from converse_basicsr.ops.fft import fast_fft_size, largest_prime_factor
from converse_basicsr.ops.padding import PADDING_MODES, Margins, choose_margins

CASES = [  # (h, w), kernel_size, scale, padding, margins
    ((11, 13), 3, 1, 4, Margins(4, 4, 4, 5)),  # 19 -> 20, 21
    ((14, 11), 5, 1, 4, Margins(4, 5, 4, 6)),  # 22 -> 24, 19 -> 20
    ((17, 9), 4, 1, 0, Margins(0, 0, 0, 1)),  # 17 -> 18, 9
    ((9, 9), 3, 2, 2, Margins(2, 3, 2, 3)),  # 13 -> 14
    ((7, 8), 5, 3, 2, Margins(2, 2, 2, 3)),  # 11 -> 12, 12
]


def make_layer(kernel_size, scale, padding, mode="circular", **options):
    torch.manual_seed(0)
    return Converse2D(2, 2, kernel_size, scale, padding, mode, eps=1e-2, fast_size=True, **options).double()


def by_definition(layer, y, margins, x0=None):
    """F.pad, the operator on that torus, and crop."""
    scale = layer.scale
    x0 = layer.prior if x0 is None else F.pad(x0, [scale * margin for margin in margins], layer.padding_mode)
    x = converse2d(F.pad(y, margins, layer.padding_mode), layer.weight, layer.lam, scale, x0)
    h, w = y.shape[-2:]
    top, left = scale * margins.top, scale * margins.left
    return x[..., top : top + scale * h, left : left + scale * w]


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("batch", [1, 2])  # real FFTs, packed pairs
@pytest.mark.parametrize(("size", "kernel_size", "scale", "padding", "margins"), CASES)
@pytest.mark.parametrize("prior", ["nearest", "zero", "bilinear"])
def test_it_is_the_operator_on_the_larger_torus(mode, batch, size, kernel_size, scale, padding, margins, prior):
    layer = make_layer(kernel_size, scale, padding, mode, prior=prior)
    y = torch.randn(batch, 2, *size, dtype=torch.float64, requires_grad=True)
    leaves = (y, layer.weight, layer.bias)
    found, expected = layer(y), by_definition(layer, y, margins)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)
    upstream = torch.randn_like(expected)
    for grad, other in zip(*(torch.autograd.grad(x, leaves, upstream) for x in (found, expected)), strict=True):
        torch.testing.assert_close(grad, other, rtol=0, atol=1e-10 * other.abs().max().clamp(min=1).item())
    layer.fast_size = False
    assert (layer(y) - found).abs().max() > 1e-9


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_a_prior_given_at_call_time_is_padded_alike(mode):
    layer = make_layer(5, 2, 2, mode)
    y, x0 = torch.randn(1, 2, 9, 7).double(), torch.randn(1, 2, 18, 14).double()
    torch.testing.assert_close(layer(y, x0), by_definition(layer, y, Margins(2, 3, 2, 3), x0))  # 13 -> 14, 11 -> 12


@pytest.mark.parametrize(("batch", "mode"), [(1, "reflect"), (2, "circular")])
def test_second_derivatives(batch, mode):
    layer = make_layer(3, 1, 3, mode)
    y = torch.randn(batch, 2, 5, 5, dtype=torch.float64, requires_grad=True)  # 11 -> 12
    assert torch.autograd.gradgradcheck(layer, y, fast_mode=True)


@pytest.mark.parametrize(
    ("mode", "side", "padding", "after"),
    [
        ("circular", 11, 10, 11),  # 31 -> 32
        ("circular", 11, 11, 11),  # 33 -> 35 would take 13 of 11 samples
        ("reflect", 9, 7, 8),  # 23 -> 24
        ("reflect", 11, 10, 10),  # 31 -> 32 would take 11 of 10
        ("replicate", 11, 11, 13),
        ("constant", 11, 11, 13),
    ],
)
def test_a_side_too_short_for_the_larger_margin_keeps_the_padding(mode, side, padding, after):
    layer = make_layer(3, 1, padding, mode)
    margins = choose_margins((side, 14), padding, mode, fast_size=True)
    assert margins.bottom == after
    y = torch.randn(2, 2, side, 14).double()
    torch.testing.assert_close(layer(y), by_definition(layer, y, margins))


@pytest.mark.parametrize(("kernel_size", "scale"), [(2, 2), (3, 3)])
def test_it_has_no_effect_where_there_is_no_fft(kernel_size, scale):
    layer = make_layer(kernel_size, scale, 2)
    y = torch.randn(1, 2, 9, 7).double()
    found = layer(y)
    layer.fast_size = False
    assert torch.equal(found, layer(y))


@torch.no_grad()
def test_a_filter_cache_is_not_used_for_the_other_torus(monkeypatch):
    layer = make_layer(3, 1, 4).eval()
    y = torch.randn(2, 2, 11, 13).double()
    fast = layer(y)
    layer.fast_size = False
    exact = layer(y)
    assert not torch.equal(fast, exact)
    layer.fast_size = True
    assert torch.equal(layer(y), fast)
    monkeypatch.setattr("converse_basicsr.ops.filters.inverse_filter", lambda *_: pytest.fail("built again"))
    assert torch.equal(layer(y), fast)


@pytest.mark.filterwarnings("ignore")  # of the compiler: complex operators are not fused
@pytest.mark.parametrize(("batch", "scale"), [(1, 1), (2, 2)])
def test_compiled(batch, scale):
    torch.compiler.reset()
    layer = make_layer(3, scale, 2, "reflect")
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    y = torch.randn(batch, 2, 9, 7, dtype=torch.float64, requires_grad=True)
    leaves = (y, layer.weight, layer.bias)
    found, expected = compiled(y), layer(y)
    torch.testing.assert_close(found, expected)
    for grad, other in zip(*(torch.autograd.grad(x.square().sum(), leaves) for x in (found, expected)), strict=True):
        torch.testing.assert_close(grad, other)
    torch.compiler.reset()


@pytest.mark.parametrize("size", [1, 2, 11, 13, 67, 97, 134, 268, 520, 1009, 2 * 4099])
def test_fast_fft_size_is_the_next_without_a_large_prime_factor(size):
    expected = next(n for n in range(size, 2 * size + 1) if largest_prime_factor(n) <= 7)
    assert fast_fft_size(size) == expected
