"""The Triton kernels in Triton's interpreter, on the CPU: test_triton.py runs each test here with TRITON_INTERPRET=1.

Triton reads the variable when it is imported, so these tests need a process of their own.
"""

import pytest
import torch
import torch.nn.functional as F

from converse_basicsr import Converse2D, converse2d, converse2d_reference
from converse_basicsr.ops import triton_kernels as kernels
from converse_basicsr.ops.filters import inverse_filter, inverse_filter_plain
from converse_basicsr.ops.padding import PADDING_MODES, Margins
from converse_basicsr.ops.transforms import Torus, pack, unpack

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}  # of the largest value


def draw(*size, dtype=torch.float64):
    return torch.randn(*size, dtype=dtype)


def assert_near(found, expected, factor=1):
    assert found.shape == expected.shape and found.dtype == expected.dtype
    limit = factor * TOLERANCE[found.dtype.to_real()] * expected.abs().max().clamp(min=1).item()
    torch.testing.assert_close(found, expected, rtol=0, atol=limit)


def values_and_gradients(function, inputs, upstream):
    leaves = [x.detach().requires_grad_() for x in inputs]
    x = function(*leaves)
    return [x.detach(), *torch.autograd.grad(x, leaves, upstream)]


def multiplied(spectrum, filters, upstream):
    """The kernels' product, and its gradients."""
    product = kernels.multiply(spectrum, filters)
    return [product, *kernels.multiply_gradients(upstream, spectrum, filters, (True, True))]


@pytest.fixture
def without_triton():
    """Run a function as if Triton were not there."""

    def run(function, *args):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CONVERSE_TRITON", "0")
            return function(*args)

    return run


@pytest.fixture
def taken(monkeypatch):
    """The names of the kernels' functions that are called."""
    names = set()
    for name in set(kernels.__all__) - {"start_driver"}:
        original = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *a, n=name, f=original: names.add(n) or f(*a))
    return names


@pytest.mark.parametrize(
    ("spectra", "banks", "components", "size"),  # (N, C), (N or 1, C or 1), S, (H, W)
    [
        ((1, 1), (1, 1), 1, (25, 24)),
        ((3, 2), (1, 2), 4, (5, 6)),
        ((2, 2), (2, 2), 9, (7, 9)),
        ((2, 3), (1, 1), 1, (4, 5)),
        ((2, 3), (2, 1), 4, (4, 5)),
    ],
)
def test_multiply_is_the_product_and_its_derivatives(spectra, banks, components, size):
    dtype = torch.complex128
    spectrum, filters = draw(*spectra, 1, *size, dtype=dtype), draw(*banks, components, *size, dtype=dtype)
    upstream = draw(*spectra, components, *size, dtype=dtype)
    found = multiplied(spectrum, filters, upstream)
    for value, other in zip(found, values_and_gradients(torch.mul, (spectrum, filters), upstream), strict=True):
        assert_near(value, other)


@pytest.mark.parametrize("wanted", [0, 1])
def test_multiply_with_one_gradient_needed(wanted):
    inputs = [draw(2, 3, 1, 4, 5, dtype=torch.complex128), draw(1, 3, 4, 4, 5, dtype=torch.complex128)]
    inputs[wanted].requires_grad_()
    upstream = draw(2, 3, 4, 4, 5, dtype=torch.complex128)
    spectrum, filters = (x.detach() for x in inputs)
    spectrum = spectrum if wanted else None
    gradients = kernels.multiply_gradients(upstream, spectrum, filters, (wanted == 0, wanted == 1))
    found = gradients[wanted]
    assert gradients[1 - wanted] is None
    (expected,) = torch.autograd.grad(torch.mul(*inputs), inputs[wanted], upstream)
    assert_near(found, expected)


def test_multiply_of_noncontiguous_and_lazily_conjugated_tensors():
    spectrum = draw(2, 3, 1, 5, 4, dtype=torch.complex128).mT.conj()
    filters = draw(1, 3, 4, 5, 4, dtype=torch.complex128).conj().transpose(0, 1).contiguous().transpose(0, 1)
    upstream = draw(2, 3, 5, 4, 4, dtype=torch.complex128).conj().movedim(-1, 2)
    inputs = spectrum, filters.mT, upstream.mT
    for value, other in zip(multiplied(*inputs), values_and_gradients(torch.mul, inputs[:2], inputs[2]), strict=True):
        assert_near(value, other)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize(
    ("shape", "margins"),
    [((2, 1, 5, 6), (3, 3, 3, 3)), ((2, 1, 2, 24, 23), (2, 5, 1, 4)), ((4, 1, 4, 3), (0, 0, 0, 0))],
)
def test_pack_pads_and_unpack_crops(taken, without_triton, packed, mode, shape, margins):
    y, margins = draw(*shape), Margins(*margins)
    size = margins.around(shape[-2:])
    z = pack(y, size, margins, mode, packed)
    assert torch.equal(z, without_triton(pack, y, size, margins, mode, packed))
    assert torch.equal(z, pack(y.mT.contiguous().mT, size, margins, mode, packed))
    assert torch.equal(unpack(z, margins, packed), y)
    assert taken == ({"pack", "unpack"} if packed or any(margins) else set())
    if any(margins) and len(shape) == 4:
        padded = F.pad(y, margins, mode)
        assert torch.equal(z, torch.complex(*padded.chunk(2)) if packed else padded)


@pytest.mark.parametrize("prior", ["nearest", "zero"])
@pytest.mark.parametrize(
    ("psf", "lam", "size", "packed"),
    [
        ((1, 2), (1, 2), (25, 24), True),
        ((2, 2), (1, 1), (5, 6), False),
        ((1, 1), (2, 2), (5, 6), True),
        ((2, 1), (1, 2), (6, 5), False),
    ],
)
def test_inverse_filter_is_its_composite(taken, prior, psf, lam, size, packed):
    torus = Torus(size, packed)
    inputs = [draw(*psf, 3, 4), draw(*lam, 1, 1).square() + 0.1]
    upstream = torch.randn_like(inverse_filter(*inputs, torus, prior))
    found, expected = (
        values_and_gradients(lambda *a, f=f: f(*a, torus, prior), inputs, upstream)
        for f in (inverse_filter, inverse_filter_plain)
    )
    assert taken == {"inverse_filter", "inverse_filter_gradients"}
    for value, other in zip(found, expected, strict=True):
        assert_near(value, other, factor=10)


@pytest.mark.parametrize(
    ("scale", "batch", "per_sample"),
    [
        (1, 1, False),
        (1, 2, False),
        (1, 3, True),
        (1, 4, False),
        (2, 1, False),
        (2, 2, True),
        (2, 3, False),
        (3, 2, False),
        (3, 3, True),
    ],
)
def test_operator_matches_reference(taken, scale, batch, per_sample):
    """One psf and lam a channel, or one psf a sample and one lam."""
    y = draw(batch, 2, 6 + batch % 2, 7)
    psf = torch.rand(batch, 1, 4, 5) if per_sample else torch.rand(1, 2, 4, 5)
    lam = 0.1 + torch.rand(1, 1 if per_sample else 2, 1, 1)
    inputs = y, psf.double() / 10, lam.double()
    upstream = draw(batch, 2, y.shape[-2] * scale, y.shape[-1] * scale)
    found, expected = (
        values_and_gradients(lambda *a, f=f: f(*a, scale), inputs, upstream) for f in (converse2d, converse2d_reference)
    )
    assert {"multiply", "multiply_gradients"} <= taken
    for value, other in zip(found, expected, strict=True):
        torch.testing.assert_close(value, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("learned", [(0,), (1,), (2,), (0, 2)], ids=str)
@pytest.mark.parametrize(("batch", "scale"), [(1, 1), (2, 1), (2, 2)])
def test_operator_with_some_inputs_frozen(learned, batch, scale):
    inputs = [draw(batch, 2, 5, 6), torch.rand(1, 2, 3, 3).double() / 10, torch.full((1, 2, 1, 1), 0.3).double()]
    leaves = [inputs[i].requires_grad_() for i in learned]
    found, expected = (
        torch.autograd.grad(function(*inputs, scale).sin().sum(), leaves)
        for function in (converse2d, converse2d_reference)
    )
    for value, other in zip(found, expected, strict=True):
        torch.testing.assert_close(value, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("prior", ["bilinear", "tensor"])
@pytest.mark.parametrize("batch", [1, 2])
def test_other_priors_match_reference(taken, batch, prior):
    y, psf, x0 = draw(batch, 2, 5, 6), torch.rand(1, 2, 3, 3).double(), draw(batch, 2, 10, 12)
    x0 = x0 if prior == "tensor" else prior
    torch.testing.assert_close(converse2d(y, psf, 0.1, 2, x0), converse2d_reference(y, psf, 0.1, 2, x0))
    assert taken == ({"pack", "unpack"} if batch == 2 else set())


@pytest.mark.parametrize(
    ("mode", "batch", "scale", "dtype"),
    [
        ("circular", 1, 1, torch.float32),
        ("reflect", 2, 1, torch.float32),
        ("replicate", 2, 2, torch.float32),
        ("constant", 3, 1, torch.float64),
        ("replicate", 1, 2, torch.float64),
    ],
)
def test_layer_is_that_of_plain_torch(taken, without_triton, mode, batch, scale, dtype):
    torch.manual_seed(0)
    layer = Converse2D(2, 2, 5, scale, padding=3, padding_mode=mode, eps=1e-2).to(dtype)
    y, upstream = draw(batch, 2, 6, 7, dtype=dtype), draw(batch, 2, 6 * scale, 7 * scale, dtype=dtype)
    y = y.to(memory_format=torch.channels_last)

    def step():
        leaf = y.clone().requires_grad_()
        x = layer(leaf)
        return [x.detach(), *torch.autograd.grad(x, [leaf, *layer.parameters()], upstream)]

    expected = without_triton(step)
    assert taken == set()
    for value, other in zip(step(), expected, strict=True):
        assert_near(value, other, factor=20)
    inverse = {"inverse_filter", "inverse_filter_gradients"} if scale == 1 else set()
    assert taken == {"multiply", "multiply_gradients", "pack", "unpack"} | inverse


@pytest.mark.parametrize(("batch", "scale"), [(1, 2), (2, 1)])
def test_gradgradcheck(taken, batch, scale):
    inputs = draw(batch, 1, 2, 3), torch.rand(1, 1, 3, 3).double(), torch.full((1, 1, 1, 1), 0.3).double()
    inputs = [x.requires_grad_() for x in inputs]
    assert torch.autograd.gradgradcheck(lambda *a: converse2d(*a, scale), inputs, fast_mode=True)
    assert "multiply" in taken  # and its second derivatives are plain torch operations
