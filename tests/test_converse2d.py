"""The functional operator: against the dense oracle, the literal closed form, its laws, and bad input."""

import pytest
import torch
import torch.nn.functional as F
from oracle import solve_dense

from converse_basicsr import converse2d, converse2d_reference
from converse_basicsr.ops import PRIORS
from converse_basicsr.ops.prior import prior_image

# (n, c, h, w), (kh, kw), scale, psf per sample and channel
PROBLEMS = [
    ((2, 3, 6, 7), (3, 3), 1, False),
    ((1, 2, 5, 8), (5, 4), 1, True),
    ((2, 2, 7, 5), (7, 7), 1, True),
    ((1, 1, 4, 3), (7, 5), 1, False),  # a psf larger than the torus
    ((2, 2, 4, 5), (2, 2), 2, False),
    ((2, 2, 4, 3), (5, 5), 2, True),
    ((1, 2, 3, 4), (3, 3), 3, False),
    ((1, 2, 3, 3), (4, 7), 3, True),
    ((1, 1, 2, 3), (5, 5), 4, False),
    ((1, 2, 1, 1), (3, 3), 2, False),
    ((1, 1, 3, 3), (1, 1), 2, False),
]


def make_problem(shape, taps, scale, per_sample, seed=0, lam=1e-3):
    generator = torch.Generator().manual_seed(seed)

    def draw(*size):
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    n, c, h, w = shape
    psf = draw(n if per_sample else 1, c, *taps).flatten(2).softmax(-1).unflatten(-1, taps)
    weight = (0.5 + torch.rand(1, c, 1, 1, generator=generator, dtype=torch.float64)) * lam
    return draw(n, c, h, w), psf, weight, draw(n, c, h * scale, w * scale)


def gradients(function, inputs, upstream):
    inputs = [x.detach().requires_grad_() for x in inputs]
    output = function(*inputs)
    return output.detach(), torch.autograd.grad(output, inputs, upstream)


@pytest.mark.parametrize(("shape", "taps", "scale", "per_sample"), PROBLEMS)
@pytest.mark.parametrize("prior", [*PRIORS, "tensor"])
def test_matches_dense_oracle(shape, taps, scale, per_sample, prior):
    y, psf, lam, x0 = make_problem(shape, taps, scale, per_sample)
    prior = x0 if prior == "tensor" else prior
    expected = solve_dense(y, psf, lam, scale, prior_image(y, scale, prior))
    torch.testing.assert_close(converse2d(y, psf, lam, scale, prior), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("shape", "taps", "scale", "per_sample"), PROBLEMS)
@pytest.mark.parametrize("prior", ["nearest", "zero", "bicubic", "tensor"])
def test_gradients_match_dense_oracle(shape, taps, scale, per_sample, prior):
    y, psf, lam, x0 = make_problem(shape, taps, scale, per_sample)
    upstream = torch.randn_like(x0)

    def ours(y, psf, lam, x0):
        return converse2d(y, psf, lam, scale, x0 if prior == "tensor" else prior) + 0 * x0

    def dense(y, psf, lam, x0):
        return solve_dense(y, psf, lam, scale, x0 if prior == "tensor" else prior_image(y, scale, prior)) + 0 * x0

    _, grads = gradients(ours, (y, psf, lam, x0), upstream)
    _, expected = gradients(dense, (y, psf, lam, x0), upstream)
    for grad, other in zip(grads, expected, strict=True):
        torch.testing.assert_close(grad, other, rtol=1e-8, atol=1e-8 * other.abs().max().item() + 1e-9)


@pytest.mark.parametrize(
    ("shape", "taps", "scale"),
    [
        ((2, 3, 16, 16), (5, 5), 1),
        ((1, 2, 17, 13), (7, 7), 1),
        ((1, 2, 23, 12), (6, 3), 1),
        ((2, 2, 11, 12), (2, 2), 2),
        ((1, 2, 12, 9), (5, 5), 2),
        ((1, 2, 7, 11), (3, 3), 3),
        ((1, 2, 6, 8), (7, 7), 4),
        ((1, 2, 5, 6), (3, 2), 4),
    ],
)
@pytest.mark.parametrize("prior", ["nearest", "zero", "bilinear"])
def test_matches_reference(shape, taps, scale, prior):
    y, psf, lam, x0 = make_problem(shape, taps, scale, per_sample=False)
    upstream = torch.randn_like(x0)
    x, grads = gradients(lambda *a: converse2d(*a, scale, prior), (y, psf, lam), upstream)
    reference, expected = gradients(lambda *a: converse2d_reference(*a, scale, prior), (y, psf, lam), upstream)
    torch.testing.assert_close(x, reference, rtol=0, atol=1e-10)
    for grad, other in zip(grads, expected, strict=True):
        torch.testing.assert_close(grad, other, rtol=0, atol=1e-8 * max(1, other.abs().max().item()))


@pytest.mark.parametrize(("shape", "taps", "scale", "per_sample"), PROBLEMS[:9])
def test_float32_keeps_its_accuracy_at_a_small_lam(shape, taps, scale, per_sample):
    y, psf, lam, x0 = make_problem(shape, taps, scale, per_sample, lam=1e-4)
    exact, exact_grads = gradients(lambda *a: converse2d(*a, scale), (y, psf, lam), x0)
    single = [value.float() for value in (y, psf, lam)]
    x, grads = gradients(lambda *a: converse2d(*a, scale), single, x0.float())
    assert x.dtype == torch.float32
    assert (x - exact).abs().max() <= 2e-6 * exact.abs().max()
    for grad, other in zip(grads, exact_grads, strict=True):
        assert (grad - other).abs().max() <= 2e-5 * other.abs().max().clamp(min=1e-6)  # exactly 0 for a 1x1 torus


@pytest.mark.parametrize(
    ("batch", "channels", "taps", "scale", "per_sample"),
    [
        (2, 1, (3, 2), 1, False),  # pairs of samples
        (1, 2, (3, 2), 1, False),  # real FFTs
        (1, 2, (3, 3), 2, False),
        (2, 2, (3, 2), 1, True),
        (3, 1, (3, 2), 1, False),
        (2, 1, (3, 3), 2, True),
        (2, 1, (3, 3), 2, False),
        (1, 2, (2, 2), 2, False),  # blockwise, pointwise
        (2, 1, (3, 2), 3, True),  # blockwise
        (1, 1, (3, 3), 3, False),
    ],
)
@pytest.mark.parametrize("prior", ["nearest", "zero", "tensor"])
def test_gradcheck_and_gradgradcheck(batch, channels, taps, scale, per_sample, prior):
    y, psf, lam, x0 = make_problem((batch, channels, 3, 4), taps, scale, per_sample, lam=0.3)
    inputs = [value.requires_grad_() for value in ((y, psf, lam, x0) if prior == "tensor" else (y, psf, lam))]

    def function(y, psf, lam, x0=prior):
        return converse2d(y, psf, lam, scale, x0)

    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_loss_of_the_result_and_of_its_gradients(batch, scale):
    """A gradient penalty beside a loss: the last backward meets first and second derivatives at once."""
    y, psf, lam, _ = make_problem((batch, 2, 6, 7), (3, 3), scale, per_sample=False, lam=0.3)
    results = []
    for function in (converse2d, converse2d_reference):
        leaves = [value.clone().requires_grad_() for value in (y, psf, lam)]
        x = function(*leaves, scale)
        grads = torch.autograd.grad(x.sin().sum(), leaves, create_graph=True)
        results.append(torch.autograd.grad(x.cos().sum() + sum(grad.square().sum() for grad in grads), leaves))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [7, 8])
def test_pairs_of_samples_and_real_transforms_agree(batch, width):
    y, psf, lam, x0 = make_problem((batch, 3, 6, width), (5, 5), 1, per_sample=False)
    packed, grads = gradients(lambda *a: converse2d(*a), (y, psf, lam), x0)
    each = [gradients(lambda *a: converse2d(*a), (y[i : i + 1], psf, lam), x0[i : i + 1]) for i in range(batch)]
    torch.testing.assert_close(packed, torch.cat([x for x, _ in each]), rtol=0, atol=1e-12)
    torch.testing.assert_close(grads[0], torch.cat([grad[0] for _, grad in each]), rtol=0, atol=1e-10)
    for i in (1, 2):
        total = sum(grad[i] for _, grad in each)
        torch.testing.assert_close(grads[i], total, rtol=1e-10, atol=1e-10)


def delta(size, channels=2):
    psf = torch.zeros(1, channels, size, size, dtype=torch.float64)
    psf[..., size // 2, size // 2] = 1
    return psf


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_delta_psf_is_the_identity_at_scale_1(size):
    y = torch.randn(2, 2, 9, 8, dtype=torch.float64)
    torch.testing.assert_close(converse2d(y, delta(size), 1e-3), y, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("prior", ["nearest", "zero", "bilinear", "bicubic", "tensor"])
def test_large_lam_returns_the_prior(scale, prior):
    y, psf, _, x0 = make_problem((1, 2, 5, 6), (3, 3), scale, per_sample=False)
    prior = x0 if prior == "tensor" else prior
    torch.testing.assert_close(converse2d(y, psf, 1e12, scale, prior), prior_image(y, scale, prior), rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("prior", ["nearest", "zero", "tensor"])
def test_small_lam_reproduces_y_after_blur_and_decimation(scale, prior):
    y, psf, _, x0 = make_problem((1, 2, 5, 6), (3, 3), scale, per_sample=False)
    psf = 0.6 * delta(3) + 0.4 * psf  # no zero in its spectrum
    x = converse2d(y, psf, 1e-9, scale, x0 if prior == "tensor" else prior)
    blurred = F.conv2d(F.pad(x, (1, 1, 1, 1), "circular"), psf.flip(-2, -1).transpose(0, 1), groups=2)
    torch.testing.assert_close(blurred[..., ::scale, ::scale], y, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_circular_translation_equivariance(scale):
    y, psf, lam, _ = make_problem((2, 2, 6, 7), (5, 5), scale, per_sample=True)
    shifted = converse2d(y.roll((2, -3), (-2, -1)), psf, lam, scale)
    expected = converse2d(y, psf, lam, scale).roll((2 * scale, -3 * scale), (-2, -1))
    torch.testing.assert_close(shifted, expected, rtol=0, atol=1e-12)


def test_samples_do_not_mix():
    y, psf, lam, _ = make_problem((3, 2, 6, 5), (3, 3), 2, per_sample=True)
    one_by_one = torch.cat([converse2d(y[i : i + 1], psf[i : i + 1], lam, 2) for i in range(3)])
    torch.testing.assert_close(converse2d(y, psf, lam, 2), one_by_one, rtol=0, atol=1e-12)


def test_lam_per_sample_and_as_a_number():
    y, psf, _, _ = make_problem((2, 2, 6, 5), (3, 3), 1, per_sample=False)
    lam = torch.tensor([1e-2, 1.0], dtype=torch.float64).view(2, 1, 1, 1)
    x = converse2d(y, psf, lam)
    for i in range(2):
        torch.testing.assert_close(x[i : i + 1], converse2d(y[i : i + 1], psf, lam[i].item()))


@pytest.mark.parametrize("prior", ["nearest", "bilinear", "tensor"])
@pytest.mark.parametrize("scale", [1, 2])
def test_noncontiguous_and_channels_last(scale, prior):
    y, psf, lam, x0 = make_problem((2, 4, 6, 7), (3, 3), scale, per_sample=False)
    prior = x0 if prior == "tensor" else prior
    expected = converse2d(y, psf, lam, scale, prior)
    last = prior.to(memory_format=torch.channels_last) if isinstance(prior, torch.Tensor) else prior
    torch.testing.assert_close(converse2d(y.to(memory_format=torch.channels_last), psf, lam, scale, last), expected)
    strided = torch.stack((y, y), -1)[..., 0]
    torch.testing.assert_close(converse2d(strided, psf.mT.contiguous().mT, lam, scale, prior), expected)


@pytest.mark.parametrize(("taps", "scale"), [((3, 3), 1), ((5, 5), 2), ((2, 2), 2)])
@pytest.mark.parametrize("batch", [1, 2])
def test_gradients_of_channels_last(batch, taps, scale):
    y, psf, lam, x0 = make_problem((batch, 4, 6, 7), taps, scale, per_sample=False)
    _, expected = gradients(lambda *a: converse2d(*a, scale), (y, psf, lam), x0)
    last, upstream = (value.to(memory_format=torch.channels_last) for value in (y, x0))
    _, grads = gradients(lambda *a: converse2d(*a, scale), (last, psf, lam), upstream)
    for grad, other in zip(grads, expected, strict=True):
        torch.testing.assert_close(grad, other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("prior", ["nearest", "bicubic"])
def test_half_precision_is_computed_in_float32(dtype, prior):
    y, psf, lam, _ = make_problem((2, 2, 6, 7), (3, 3), 2, per_sample=False)
    x = converse2d(y.to(dtype), psf.float(), lam.float(), 2, prior)
    assert x.dtype == dtype
    assert torch.equal(x, converse2d(y.to(dtype).float(), psf.float(), lam.float(), 2, prior).to(dtype))


@pytest.mark.parametrize("prior", ["nearest", "bilinear", "tensor"])
def test_autocast_changes_nothing(prior):
    y, psf, lam, x0 = (value.float() for value in make_problem((2, 2, 6, 7), (3, 3), 2, per_sample=False))
    prior = x0 if prior == "tensor" else prior
    expected = converse2d(y, psf, lam, 2, prior)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(converse2d(y, psf, lam, 2, prior), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"y": torch.zeros(3, 4, 5)},
            r"y must be .* \(N, C, h, w\) tensor, got torch.float32 \(3, 4, 5\)",
        ),
        ({"y": torch.zeros(2, 3, 4, 5, dtype=torch.int64)}, "got torch.int64"),
        ({"psf": torch.zeros(2, 4, 3, 3)}, r"psf must be \(1 or 2, 1 or 3, kh, kw\).*got \(2, 4, 3, 3\)"),
        ({"psf": torch.zeros(3, 3)}, r"psf must be .* got \(3, 3\)"),
        ({"lam": torch.zeros(3)}, r"lam must be a number or \(1 or 2, 1 or 3, 1, 1\), got \(3,\)"),
        ({"lam": 0}, "lam must be > 0, got 0"),
        ({"lam": float("nan")}, "lam must be > 0, got nan"),
        ({"padding": -1}, "padding must be an integer of 0 or more, got -1"),
        ({"padding_mode": "zeros"}, "padding_mode must be one of circular, reflect, replicate, constant, got 'zeros'"),
        ({"y": torch.zeros(2, 3, 0, 5)}, "an input of 0x5 is too small for circular padding of 0: at least 1x1"),
        ({"scale": 0}, "scale must be an integer of 1 or more, got 0"),
        ({"scale": 2.0}, "scale must be an integer of 1 or more, got 2.0"),
        ({"x0": "median"}, "prior 'median' is not known; it must be one of nearest, zero, bilinear, bicubic"),
        ({"x0": torch.zeros(2, 3, 4, 5), "scale": 2}, r"x0 must be \(2, 3, 8, 10\), got \(2, 3, 4, 5\)"),
    ],
)
def test_errors_name_the_value(change, message):
    arguments = {"y": torch.zeros(2, 3, 4, 5), "psf": torch.ones(1, 3, 3, 3), "lam": 0.1, "scale": 1, **change}
    with pytest.raises(ValueError, match=message):
        converse2d(**arguments)
