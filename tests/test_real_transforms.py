"""DFTs as products of real matrices: the operator with them, and the transforms alone."""

import pytest
import torch
import torch.nn.functional as F
from oracle import solve_dense

from converse_basicsr import converse2d
from converse_basicsr.ops.dispatch import transforms
from converse_basicsr.ops.filtering import filter_signal
from converse_basicsr.ops.filters import filter_bank
from converse_basicsr.ops.padding import PADDING_MODES, Margins, pad_by_slices
from converse_basicsr.ops.pairs import Pair
from converse_basicsr.ops.prior import prior_image
from converse_basicsr.ops.real_dense import DenseDFT
from converse_basicsr.ops.real_dft import RealDFT
from converse_basicsr.ops.real_matrices import factorise
from converse_basicsr.ops.transforms import Torus

LARGE = (96, 80)  # both sides are factorised


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def sample(*size):
    return torch.rand(*size, dtype=torch.float64)


def problem(size, taps, scale, batch=2, kernels=1):
    y, psf, lam = sample(batch, 2, *size), sample(kernels, 2, *taps), sample(1, 2, 1, 1) + 0.05
    return [x.requires_grad_() for x in (y, psf, lam)]


def with_gradients(kind, inputs, upstream_seed=1, **options):
    with transforms(kind):
        x = converse2d(*inputs, **options)
    generator = torch.Generator().manual_seed(upstream_seed)
    upstream = torch.rand(x.shape, dtype=x.dtype, generator=generator)
    return [x.detach(), *torch.autograd.grad(x, inputs, upstream)]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("size", "taps", "scale"), [
    ((4, 5), (3, 3), 1), ((5, 4), (2, 4), 1), ((1, 1), (3, 3), 1), ((3, 4), (5, 5), 2), ((2, 3), (4, 3), 3),
])  # fmt: skip
@pytest.mark.parametrize("prior", ["nearest", "zero", "bilinear"])
def test_matches_dense_oracle(size, taps, scale, prior):
    y, psf, lam = problem(size, taps, scale)
    with transforms("real"):
        found = converse2d(y, psf, lam, scale, prior)
    expected = solve_dense(y, psf, lam, scale, prior_image(y, scale, prior))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("side", range(1, 41))
def test_value_and_gradients_are_those_with_ffts(side):
    inputs = problem((side, 41 - side), (5, 4), 1)
    assert_same(with_gradients("real", inputs), with_gradients("fft", inputs))


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize(("size", "taps", "scale", "kernels", "prior"), [
    (LARGE, (7, 7), 1, 1, "nearest"), ((12, 9), (3, 3), 1, 2, "nearest"), ((8, 9), (5, 5), 2, 1, "bicubic"),
    ((8, 7), (4, 4), 3, 2, "nearest"),
])  # fmt: skip
def test_options_give_the_results_with_ffts(mode, size, taps, scale, kernels, prior):
    inputs = problem(size, taps, scale, kernels=kernels)
    options = {"scale": scale, "x0": prior, "padding": 3, "padding_mode": mode}
    assert_same(with_gradients("real", inputs, **options), with_gradients("fft", inputs, **options))


def test_a_prior_tensor_and_fast_size():
    y, psf, lam = problem((5, 6), (3, 3), 2)
    x0 = sample(2, 2, 10, 12).requires_grad_()
    for options in ({"scale": 2, "x0": x0}, {"padding": 3, "fast_size": True}):
        assert_same(*(with_gradients(kind, [y, psf, lam], **options) for kind in ("real", "fft")))


def test_gradients():
    inputs = problem((3, 4), (3, 3), 1, batch=1)

    def function(*inputs):
        with transforms("real"):
            return converse2d(*inputs, padding=2)

    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize("size", [(72, 72), (264, 136), (101, 97)])
def test_float32_is_accurate(size):
    y, psf, lam = (x.detach() for x in problem(size, (5, 5), 1, batch=1))
    psf = psf / psf.sum((-2, -1), keepdim=True)
    expected = converse2d(y, psf, lam)
    with transforms("real"):
        found = converse2d(y.float(), psf.float(), lam.float())
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", [RealDFT, DenseDFT])
@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (6, 7), (7, 6), (13, 40), LARGE])
def test_both_forms_filter_as_ffts_do(kind, scale, size):
    margins = Margins(1, 2, 0, 3) if min(size) > 3 else Margins()
    y, psf = sample(2, 3, *size), sample(1, 3, 3, 4)
    dft, torus = kind(margins.around(size)), Torus(margins.around(size), packed=False)
    bank = torus.as_half(torus.adjoint_bank(psf, scale))
    expected = filter_signal(y, bank, torus, margins, "circular")
    spectrum = dft.analyse(y, margins, "circular").unsqueeze(dft.component_dim)
    found = dft.synthesise(spectrum * dft.adjoint_bank(psf, scale), margins)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", [RealDFT, DenseDFT])
def test_polyphase_signals_come_back(kind):
    y, dft = sample(2, 3, 4, 6, 5), kind((6, 5))
    torch.testing.assert_close(dft.synthesise(dft.analyse(y, Margins(), "constant"), Margins()) / 30, y)


def test_large_sides_are_factorised_and_primes_are_not():
    assert factorise(264, real=True) == (24, 11)
    assert factorise(263, real=True) == (263, 1)
    for side in range(1, 200):
        assert factorise(side, real=False).extent == side


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_padding_by_slices_is_that_of_torch(mode):
    x, margins = sample(2, 3, 5, 6), Margins(1, 4, 3, 0)
    expected = F.pad(x, margins, mode)
    assert torch.equal(pad_by_slices(x, margins, mode), expected)
    channels_last = pad_by_slices(x.permute(0, 2, 3, 1), margins, mode, (1, 2))
    assert torch.equal(channels_last.permute(0, 3, 1, 2), expected)


def test_pairs_compute_as_complex_numbers():
    a, b = (torch.complex(sample(2, 3), sample(2, 3)) for _ in range(2))
    pairs = [Pair(x.real, x.imag) for x in (a, b)]
    real = sample(2, 3)
    for formula in (
        lambda a, b: a * b - b.conj() + a,
        lambda a, b: 1 - a * real + 2 * b,
        lambda a, b: (a / real + real).sum(0, keepdim=True) * b,
        lambda a, b: -a.unsqueeze(1) - real.unsqueeze(1),
    ):
        found, expected = formula(*pairs), formula(a, b)
        torch.testing.assert_close(torch.complex(found.real, found.imag), expected)


def test_the_filter_bank_is_a_pair_of_real_tensors():
    torus = Torus((6, 5), packed=False, plain=True, real=True)
    filters = filter_bank(sample(1, 2, 3, 3), sample(1, 2, 1, 1), torus, 1, "nearest")
    assert isinstance(filters, Pair) and not any(part.is_complex() for part in filters)


def test_unknown_transforms_are_refused():
    with pytest.raises(ValueError, match="transforms must be one of fft, real, got 'dct'"), transforms("dct"):
        pass
