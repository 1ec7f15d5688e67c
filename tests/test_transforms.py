"""Padding, packed transforms and the fused filter: each held against plain torch, and each transpose a transpose."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F

from converse_basicsr.layers.layer_norm import normalise_channels
from converse_basicsr.ops.blockwise import outer_product
from converse_basicsr.ops.blur import depthwise
from converse_basicsr.ops.filtering import filter_signal
from converse_basicsr.ops.filters import inverse_filter, inverse_filter_plain
from converse_basicsr.ops.padding import PADDING_MODES, Margins, fold_border
from converse_basicsr.ops.transforms import Torus, pack, unpack


def draw(*size):
    return torch.randn(*size, dtype=torch.float64)


PADDED = [  # size, margins
    ((6, 7), Margins(2, 2, 2, 2)),
    ((4, 5), Margins(3, 3, 3, 3)),
    ((4, 4), Margins()),
    ((3, 6), Margins(2, 2, 2, 2)),
    ((4, 3), Margins(1, 2, 0, 3)),
    ((6, 7), Margins(3, 0, 1, 5)),
]


def test_margins_are_in_the_order_of_f_pad():
    x, margins = draw(2, 3, 4, 5), Margins(left=1, right=2, top=3, bottom=4)
    padded = F.pad(x, margins)
    assert margins.around((4, 5)) == tuple(padded.shape[-2:])
    assert torch.equal(margins.crop(padded), x)
    assert margins.scaled(2) == Margins(left=2, right=4, top=6, bottom=8)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize(("size", "margins"), PADDED)
def test_pack_pads(mode, size, margins, packed):
    x = draw(2, 3, *size)
    padded = pack(x, margins.around(size), margins, mode, packed)
    expected = F.pad(x, margins, mode)
    assert torch.equal(padded, torch.complex(*expected.chunk(2)) if packed else expected)


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize(("size", "margins"), PADDED)
def test_fold_border_is_its_transpose(mode, size, margins):
    x = draw(2, 3, *size).requires_grad_()
    grad = draw(2, 3, *margins.around(size))
    F.pad(x, margins, mode).backward(grad)
    folded = grad.clone()
    fold_border(folded, margins, mode)
    torch.testing.assert_close(margins.crop(folded), x.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("size", [(4, 5), (5, 4)])
@pytest.mark.parametrize("margins", [Margins(2, 2, 2, 2), Margins(1, 3, 2, 3), Margins(0, 1, 0, 0)])
def test_analyse_and_synthesise_are_transposes(packed, mode, size, margins):
    torus = Torus(margins.around(size), packed)
    y = draw(2, 3, *size).requires_grad_()
    x_f = torus.analyse(y, margins, mode)
    other = torus.analyse(draw(2, 3, *torus.size)).detach()  # spectra of real signals
    x_f.backward(other)
    weight = 1 if packed else torus.multiplicity(other)
    left = (x_f.detach().conj() * other * weight).real.sum()
    torch.testing.assert_close(left, (y.detach() * y.grad).sum())


def test_exchanged_pairs_are_conjugates_times_i():
    y, margins = draw(4, 3, 5, 6), Margins(1, 2, 3, 0)
    size = margins.around((5, 6))
    z = pack(y, size, margins, "replicate", packed=True, exchanged=True)
    torch.testing.assert_close(z, 1j * pack(y, size, margins, "replicate", packed=True).conj())
    assert torch.equal(unpack(z, margins, packed=True, exchanged=True), y)


@pytest.mark.parametrize("packed", [False, True])
def test_synthesise_inverts_analyse(packed):
    torus, margins = Torus((7, 8), packed), Margins(1, 2, 3, 0)
    y = draw(4, 3, 7, 8)
    torch.testing.assert_close(torus.synthesise(torus.analyse(y)) / 56, y)
    torch.testing.assert_close(torus.synthesise(torus.analyse(y), margins) / 56, y[..., 3:, 1:-2])


def filtered(y, kernel, packed, margins, mode):
    """y through the circular filters (N or 1, C or 1, S, H, W) given in space."""
    torus = Torus(tuple(kernel.shape[-2:]), packed)
    filters = torus.as_half(torch.fft.fft2(kernel)[..., : torus.columns] / torus.cells)
    return filter_signal(y, filters, torus, margins, mode)


FILTERED = [  # (N or 1, C or 1), S, packed
    ((1, 3), 1, True),
    ((1, 3), 4, True),
    ((1, 1), 4, True),
    ((1, 3), 1, False),
    ((1, 1), 4, False),
    ((4, 3), 2, False),
]


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize(("banks", "components", "packed"), FILTERED)
def test_filter_signal_convolves(mode, banks, components, packed):
    y, kernel, margins = draw(4, 3, 4, 5), draw(*banks, components, 7, 8), Margins(2, 1, 1, 2)
    padded = F.pad(y, margins, mode)
    expected = torch.zeros(4, 3, components, 7, 8, dtype=y.dtype)
    for i, j in product(range(7), range(8)):
        expected += kernel[..., i, j, None, None] * padded.roll((i, j), (-2, -1))[:, :, None]
    found = filtered(y, kernel, packed, margins, mode)
    torch.testing.assert_close(found, margins.crop(expected))


@pytest.mark.parametrize("frozen", [None, 0, 1])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("banks", "components"), [((1, 2), 1), ((1, 1), 3)])
def test_filter_signal_derivatives_with_one_input_frozen(frozen, packed, banks, components):
    inputs = [draw(2, 2, 2, 3), draw(*banks, components, 4, 4)]
    for i, x in enumerate(inputs):
        x.requires_grad_(i != frozen)

    def function(y, kernel):
        return filtered(y, kernel, packed, Margins(1, 0, 1, 1), "replicate")

    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("prior", ["nearest", "zero"])
@pytest.mark.parametrize(("psf_shape", "lam_shape"), [((1, 3), (1, 3)), ((2, 3), (1, 1)), ((1, 1), (2, 3))])
def test_inverse_filter_is_its_composite(packed, prior, psf_shape, lam_shape):
    torus = Torus((6, 8), packed)
    psf, lam = draw(*psf_shape, 5, 4), draw(*lam_shape, 1, 1).square() + 0.1
    found, expected = (
        (function(psf.requires_grad_(), lam.requires_grad_(), torus, prior))
        for function in (inverse_filter, inverse_filter_plain)
    )
    torch.testing.assert_close(found, expected)
    upstream = torch.randn_like(expected)
    for grad, other in zip(*(torch.autograd.grad(x, (psf, lam), upstream) for x in (found, expected)), strict=True):
        torch.testing.assert_close(grad, other)


@pytest.mark.parametrize("frozen", [0, 1])
def test_inverse_filter_second_derivatives_with_one_input_frozen(frozen):
    inputs = [draw(1, 1, 3, 3), draw(1, 1, 1, 1).square() + 0.1]
    inputs[1 - frozen].requires_grad_()
    torus = Torus((4, 5), True)
    filters = inverse_filter(*inputs, torus, "nearest")
    (grad,) = torch.autograd.grad(filters.abs().square().sum(), inputs[1 - frozen], create_graph=True)
    grad.sum().backward()
    assert inputs[1 - frozen].grad.abs().sum() > 0


def test_gradients_inside_autocast_are_those_outside():
    psf, lam = torch.rand(1, 2, 3, 3).requires_grad_(), torch.ones(1, 2, 1, 1)
    filters = inverse_filter(psf, lam, Torus((6, 6), True), "nearest")
    (expected,) = torch.autograd.grad(filters.real.sum(), psf, retain_graph=True)
    with torch.autocast("cpu", torch.bfloat16):
        (grad,) = torch.autograd.grad(filters.real.sum(), psf)
    assert torch.equal(grad, expected)


@pytest.mark.parametrize(("taps", "scale"), [(2, 2), (2, 3), (1, 2)])
def test_outer_product_is_the_transposed_convolution(taps, scale):
    y, weight = draw(2, 3, 4, 5), draw(1, 3, scale, scale)
    expected = depthwise(F.conv_transpose2d, y, weight, scale)
    torch.testing.assert_close(outer_product(y, weight), expected)


def test_normalise_channels_has_right_second_derivatives():
    x = draw(2, 3, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: normalise_channels(x, 1e-2), x)
    assert torch.autograd.gradgradcheck(lambda x: normalise_channels(x, 1e-2), x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_normalise_channels_computes_half_precision_in_float32(dtype):
    x = (100 + torch.randn(2, 8, 3, 3)).to(dtype)
    assert torch.equal(normalise_channels(x, 1e-5), normalise_channels(x.float(), 1e-5).to(dtype))
