"""The consistency step: against a dense solve, MATLAB's reduction, its laws, and in restore; no BasicSR."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from oracle import solve_dense
from torch import Tensor, nn

from converse_basicsr import restore
from converse_basicsr.errors import UserError
from converse_basicsr.inference import Consistency, bicubic_psf, restore_x8
from converse_basicsr.inference.consistency import build_consistency, is_symmetric
from converse_basicsr.ops import blur_decimate

SIZES = [(1, 1), (2, 3), (5, 4)]  # of the input
RANDOM = np.random.default_rng(0)


def random(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=dtype)


def asymmetric_psf() -> Tensor:
    psf = torch.arange(1.0, 10).double().view(3, 3) ** 2
    return psf / psf.sum()


def mirror(index: int, side: int) -> int:
    index %= 2 * side
    return min(index, 2 * side - 1 - index)


def dense_reduction(psf: Tensor, scale: int, h: int, w: int) -> Tensor:
    """A as a matrix (h*w, s*h*s*w): each tap takes a pixel, beyond the border its mirror image."""
    height, width = scale * h, scale * w
    matrix = torch.zeros(h, w, height, width, dtype=torch.float64)
    for a, b in np.ndindex(*psf.shape):
        for i, j in np.ndindex(h, w):
            row = mirror(scale * i - (a - psf.shape[0] // 2), height)
            column = mirror(scale * j - (b - psf.shape[1] // 2), width)
            matrix[i, j, row, column] += psf[a, b]
    return matrix.view(h * w, -1)


# --- the psf of MATLAB's reduction ---


def test_the_bicubic_psf_has_its_taps_where_matlab_has_them():
    psf = bicubic_psf(4)
    assert psf.shape == (19, 19) and abs(psf.sum() - 1) < 1e-12
    pixels = 9 - psf.sum(0).nonzero().flatten()  # a convolution: tap t takes the pixel 9 - t
    assert sorted(pixels.tolist()) == list(range(-6, 10))


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [(72, 96), (96, 120)])
def test_it_is_the_projects_reduction(scale, size):
    from converse_basicsr.degradations.bicubic import reduce_batch

    x = random(1, 2, *size)
    expected = reduce_batch(x, scale)  # its weights are float32
    psf = bicubic_psf(scale)
    inside = 3  # pixels of the result: nearer to the border, the circular blur takes pixels of the other side
    circular = blur_decimate(x, psf[None, None], scale)
    assert (circular - expected)[..., inside:-inside, inside:-inside].abs().max() < 3e-7
    assert (Consistency(psf, scale).reduce(x) - expected).abs().max() < 3e-7


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("psf", [bicubic_psf(3), asymmetric_psf()])
def test_reduce_matches_dense_oracle(psf, size):
    x = random(1, 1, 3 * size[0], 3 * size[1])
    expected = dense_reduction(psf, 3, *size) @ x.flatten()
    assert (Consistency(psf, 3).reduce(x).flatten() - expected).abs().max() < 1e-12


# --- the step ---


@pytest.mark.parametrize("lam", [1e-4, 0.01, 1.0])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_step_matches_dense_oracle(scale, size, lam):
    psf = bicubic_psf(scale)
    x, y = random(1, 1, scale * size[0], scale * size[1]), random(1, 1, *size)
    matrix = dense_reduction(psf, scale, *size)
    normal = matrix.mT @ matrix + lam * torch.eye(matrix.shape[1], dtype=torch.float64)
    expected = torch.linalg.solve(normal, matrix.mT @ y.flatten() + lam * x.flatten())
    assert (Consistency(psf, scale, lam)(x, y).flatten() - expected).abs().max() < 1e-10


def test_step_with_any_psf_matches_dense_oracle():
    """The residual counts as 0 beyond the border."""
    psf, scale, lam, margin = asymmetric_psf(), 2, 0.01, 6
    x, y = random(1, 1, 6, 8), random(1, 1, 3, 4)
    residual = y.flatten() - dense_reduction(psf, scale, 3, 4) @ x.flatten()
    padded = torch.nn.functional.pad(residual.view(1, 1, 3, 4), [margin] * 4)
    zero = torch.zeros(1, 1, *(scale * side for side in padded.shape[-2:]), dtype=torch.float64)
    solved = solve_dense(padded, psf[None, None], torch.full((1, 1, 1, 1), lam, dtype=torch.float64), scale, zero)
    expected = x + solved[..., 2 * margin : -2 * margin, 2 * margin : -2 * margin]
    assert (Consistency(psf, scale, lam)(x, y) - expected).abs().max() < 1e-10


@pytest.mark.parametrize("psf", [bicubic_psf(4), asymmetric_psf()], ids=["bicubic", "asymmetric"])
def test_the_result_is_closer_to_its_input_the_smaller_lam_is(psf):
    x, y = random(2, 3, 24, 36), random(2, 3, 6, 9)
    steps = [Consistency(psf, 4, lam) for lam in (1e9, 0.03, 3e-3, 3e-4)]
    results = [step(x, y) for step in steps]
    inside = slice(1, -1)  # at the border, the asymmetric psf takes the mirror images of corrected pixels too
    distances = [(steps[0].reduce(each) - y)[..., inside, inside].norm() for each in (x, *results)]
    assert all(nearer < 0.7 * farther for farther, nearer in pairwise(distances[1:]))
    assert (results[0] - x).abs().max() < 1e-6  # a large lam returns the image


@pytest.mark.parametrize("size", SIZES)
def test_a_small_lam_reproduces_the_input_up_to_the_border(size):
    x, y = random(1, 3, 4 * size[0], 4 * size[1]), random(1, 3, *size)
    step = Consistency(bicubic_psf(4), 4, 1e-9)
    assert (step.reduce(step(x, y)) - y).abs().max() < 1e-5


def test_the_share_of_a_wrong_mean_that_is_corrected():
    x, y = (torch.full((1, 1, *size), value, dtype=torch.float64) for size, value in (((20, 12), 0.5), ((5, 3), 0.6)))
    step = Consistency(bicubic_psf(4), 4, 0.01)
    assert (step(x, y) - (0.5 + 0.1 / (1 + 0.01 * 16))).abs().max() < 1e-12


@pytest.mark.parametrize("psf", [bicubic_psf(2), asymmetric_psf()], ids=["bicubic", "asymmetric"])
def test_a_consistent_image_stays_as_it_is(psf):
    step, x = Consistency(psf, 2), random(1, 3, 14, 10)
    assert (step(x, step.reduce(x)) - x).abs().max() < 1e-12


@pytest.mark.parametrize("dims", [(-1,), (-2,), (-2, -1)])
def test_the_bicubic_step_of_a_flipped_image_is_the_flipped_step(dims):
    x, y, step = random(1, 2, 20, 28), random(1, 2, 5, 7), Consistency(bicubic_psf(4), 4)
    assert (step(x.flip(dims), y.flip(dims)) - step(x, y).flip(dims)).abs().max() < 1e-12
    assert (step(x.mT, y.mT) - step(x, y).mT).abs().max() < 1e-12


def test_samples_and_channels_are_apart_and_the_arguments_stay():
    x, y, step = random(2, 3, 12, 20), random(2, 3, 3, 5), Consistency(bicubic_psf(4), 4)
    before, result = x.clone(), step(x, y)
    assert torch.equal(x, before) and not result.requires_grad
    assert torch.equal(result[1:, 2:], step(x[1:, 2:], y[1:, 2:]))
    last = step(x.contiguous(memory_format=torch.channels_last), y.contiguous(memory_format=torch.channels_last))
    assert torch.equal(last, result)
    assert torch.equal(step(x.requires_grad_(), y, device="cpu"), result)


def test_precision():
    x, y, step = random(1, 3, 24, 40), random(1, 3, 6, 10), Consistency(bicubic_psf(4), 4)
    exact, single = step(x, y), step(x.float(), y.float())
    assert single.dtype == torch.float32 and (single - exact).abs().max() < 1e-6
    assert step(x.half(), y.float()).dtype == torch.float32


def test_which_psfs_are_symmetric_about_a_block():
    assert all(is_symmetric(bicubic_psf(scale), scale) for scale in (2, 3, 4, 5))
    assert is_symmetric(torch.ones(3, 3), 1) and not is_symmetric(torch.ones(3, 3), 2)
    assert not is_symmetric(asymmetric_psf(), 1) and not is_symmetric(bicubic_psf(4).roll(1, 0), 4)
    assert is_symmetric(torch.tensor([[1.0, 1, 0]]).mT @ torch.tensor([[1.0, 1, 0]]), 2)  # offsets 0 and 1


# --- what a user names ---


def test_a_file_may_have_negative_taps(in_tmp):
    np.save("psf.npy", 7 * bicubic_psf(4).numpy())
    x, y = random(1, 1, 12, 16), random(1, 1, 3, 4)
    assert (build_consistency("psf.npy", 4)(x, y) - build_consistency("bicubic", 4)(x, y)).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("psf", "scale", "lam", "message"),
    [
        ("bicubic", 1, None, "consistency: bicubic is a reduction, and needs a scale above 1"),
        ("bicubic", 4, 0, "consistency_lam: must be above 0, got 0"),
        ("bicubic", 4, float("nan"), "consistency_lam: must be above 0, got nan"),
        ("bicubik", 4, None, "consistency: must be bicubic or a blur kernel; kernel: must be FILE.npy, .*got bicubik"),
        ("none.npy", 4, None, "consistency: must be bicubic or a blur kernel; no such blur kernel: none.npy"),
        (
            np.array([[1.0, -1], [2, -2]]),
            2,
            None,
            "consistency: must be bicubic or a blur kernel; kernel: .* sums to 0",
        ),
    ],
)
def test_errors(psf, scale, lam, message):
    with pytest.raises(UserError, match=message):
        build_consistency(psf, scale, lam)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(UserError, match=r"must have the shape \(1, 3, 20, 28\), got \(1, 3, 10, 14\)"):
        Consistency(bicubic_psf(4), 4)(random(1, 3, 10, 14), random(1, 3, 5, 7))


# --- restore ---


class Wrong(nn.Module):
    """Enlarges by nearest neighbours, a little too dark, with a receptive field of one pixel."""

    in_channels, scale = 3, 2

    def forward(self, x: Tensor) -> Tensor:
        return 0.9 * nn.functional.interpolate(x, scale_factor=2)


def reduced(result: np.ndarray) -> np.ndarray:
    """(H, W, C) floating-point -> (H/2, W/2, C)."""
    x = torch.from_numpy(result).double().permute(2, 0, 1)[None]
    return Consistency(bicubic_psf(2), 2).reduce(x)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("x8", [False, True])
@pytest.mark.parametrize("tiles", [{}, {"tile": 8, "overlap": 2}])
@pytest.mark.filterwarnings("ignore:in .* tiles", "ignore:a tile lacks")
def test_restore_makes_the_whole_image_consistent(tiles, x8):
    image = RANDOM.random((20, 27, 3), dtype=np.float32)
    plain = restore(image, Wrong(), x8=x8, **tiles)
    result = restore(image, Wrong(), x8=x8, consistency="bicubic", consistency_lam=1e-6, **tiles)
    assert np.abs(reduced(plain) - image).max() > 0.02 and np.abs(reduced(result) - image).max() < 1e-4
    x, y = (torch.from_numpy(each).permute(2, 0, 1)[None] for each in (plain, image))
    expected = Consistency(bicubic_psf(2), 2, 1e-6)(x, y)[0].permute(1, 2, 0)
    np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(20, 28), (20, 28, 1), (7, 9, 3), (20, 28, 2), (9, 1, 4)])
def test_restore_takes_gray_colour_alpha_and_16_bits(shape, dtype):
    most = np.iinfo(dtype).max
    image = RANDOM.integers(most // 3, most // 2, shape, dtype=dtype)  # the result is not clipped
    result = restore(image, Wrong(), consistency="bicubic", consistency_lam=1e-6)
    assert result.dtype == dtype and result.shape == (2 * shape[0], 2 * shape[1], *shape[2:])
    colours = 1 if len(shape) == 2 or shape[-1] < 3 else 3
    before, after = (each.reshape(*each.shape[:2], -1)[..., :colours].astype(float) for each in (image, result))
    assert np.abs(reduced(after) - before).max() < 1.5  # rounding


def test_restore_takes_batches():
    batch = random(3, 3, 10, 12, dtype=torch.float32)
    result = restore(batch, Wrong(), consistency="bicubic")
    each = [restore(image, Wrong(), consistency="bicubic") for image in batch]
    assert torch.allclose(result, torch.stack(each), atol=1e-6)


def test_restore_with_a_network_for_luma_alone():
    class Gray(Wrong):
        in_channels = 1

    image = RANDOM.random((10, 14, 3), dtype=np.float32)
    result = restore(image, Gray(), consistency="bicubic", consistency_lam=1e-6)
    assert np.abs(reduced(result) - image).max() < 1e-4


def test_restore_without_the_step_is_as_before():
    image = RANDOM.random((10, 14, 3), dtype=np.float32)
    expected = 0.9 * image.repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(restore(image, Wrong()), expected)
    with pytest.raises(UserError, match="consistency: must be bicubic or a blur kernel"):
        restore(image, Wrong(), consistency="cubic")
    with pytest.raises(UserError, match="consistency_lam: has no effect without consistency"):
        restore(image, Wrong(), consistency_lam=0.1)


def test_x8_and_the_step_can_be_exchanged_for_a_symmetric_psf():
    """The step is the same for every flip: the mean of the steps is the step of the mean."""
    step, y = Consistency(bicubic_psf(2), 2), random(1, 3, 6, 9)
    network = nn.Conv2d(3, 12, 3, padding=1).double().requires_grad_(False)

    def run(y: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(network(y), 2)

    assert (restore_x8(lambda each: step(run(each), each), y) - step(restore_x8(run, y), y)).abs().max() < 1e-12


def test_the_step_counts_in_the_budget_of_memory():
    """A picture whose tiles fit, but not the step after them, is refused."""
    from converse_basicsr.restoration.memory import CONSISTENCY, Budget

    budget = Budget(None, torch.device("cpu"))
    budget.size, shape = 400_000_000, torch.Size((1, 3, 1000, 1000))
    network = nn.Conv2d(3, 12, 3)
    assert budget.tile(network, shape, 2, False, 16) is not None
    with pytest.raises(UserError, match="memory: tiles of 48x48 of this picture need"):
        budget.tile(network, shape, 2, False, 16, CONSISTENCY)
