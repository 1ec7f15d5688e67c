"""restore from Python: kinds of images, channels, alpha, tiles, half precision, blur kernels."""

import io
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from torch import nn

from converse_basicsr import restore
from converse_basicsr.errors import UserError
from converse_basicsr.inference import restore_x8
from converse_basicsr.networks import ConverseDnCNN, ConverseSRResNet, ConverseUSRNet
from converse_basicsr.restoration.devices import is_out_of_memory

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (20, 28, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (20, 28, 3), dtype=np.uint16)
UNIT = RANDOM.random((20, 28, 3))
CPU = torch.device("cpu")


class Enlarge(nn.Module):
    """Nearest neighbours; it counts its calls and remembers the largest input."""

    def __init__(self, in_channels: int | None = 3, scale: int = 1):
        super().__init__()
        self.in_channels, self.scale, self.inputs = in_channels, scale, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inputs.append(tuple(x.shape))
        return F.interpolate(x, scale_factor=self.scale) if self.scale > 1 else x.clone()


class Limited(Enlarge):
    """Fails as a device does whose memory holds so many pixels."""

    def __init__(self, pixels: int, error: Exception, scale: int = 1):
        super().__init__(3, scale)
        self.pixels, self.error = pixels, error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-2] * x.shape[-1] > self.pixels:
            raise self.error
        return super().forward(x)


class BlackInHalf(Enlarge):
    """Not finite under autocast."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = super().forward(x)
        return x * float("nan") if torch.is_autocast_enabled("cpu") else x


def times(image: np.ndarray, scale: int) -> np.ndarray:
    return image.repeat(scale, 0).repeat(scale, 1)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(
    "image",
    [RGB, DEEP, UNIT, UNIT.astype(np.float32), UNIT.astype(np.float16), RGB[..., 0], DEEP[..., :1], RGB[..., ::-1]],
    ids=["8", "16", "float64", "float32", "float16", "flat", "16 gray", "negative stride"],
)
def test_arrays_come_back_as_they_are(image, scale):
    restored = restore(image, Enlarge(scale=scale))
    assert restored.dtype == image.dtype and restored.ndim == image.ndim
    np.testing.assert_allclose(restored, times(image, scale), atol=0 if image.dtype.kind == "u" else 1e-3)


@pytest.mark.parametrize("channels", [2, 4])
def test_arrays_with_alpha(channels):
    image = RANDOM.integers(1, 256, (20, 28, channels), dtype=np.uint8)
    np.testing.assert_array_equal(restore(image, Enlarge(scale=2)), times(image, 2))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "P", "1", "CMYK"])
def test_pillow_images(mode):
    image = Image.fromarray(DEEP[..., 0]) if mode == "I;16" else Image.fromarray(RGB).convert(mode)
    restored = restore(image, Enlarge(scale=2))
    assert restored.size == (56, 40)
    assert restored.mode == {"P": "RGB", "1": "L", "CMYK": "RGB"}.get(mode, mode)
    if mode not in ("P", "1", "CMYK"):
        np.testing.assert_array_equal(np.asarray(restored), times(np.asarray(image), 2))


def test_a_pillow_image_keeps_its_profile():
    image = Image.fromarray(RGB)
    image.info["icc_profile"] = b"profile"
    assert restore(image, Enlarge()).info["icc_profile"] == b"profile"


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_a_pillow_image_is_restored_as_it_is_shown(format):
    exif, file = Image.Exif(), io.BytesIO()
    exif[274] = 6  # turned by 90 degrees
    Image.fromarray(RGB).save(file, format, exif=exif)
    restored = restore(Image.open(file), Enlarge())
    np.testing.assert_array_equal(np.asarray(restored), np.rot90(RGB, -1))
    assert 274 not in restored.getexif()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, 20, 28), (2, 3, 20, 28), (1, 20, 28)])
def test_tensors(shape, dtype):
    image = torch.from_numpy(RANDOM.random(shape) * (255 if dtype == torch.uint8 else 1)).to(dtype)
    restored = restore(image, Enlarge(scale=2))
    assert restored.dtype == dtype
    torch.testing.assert_close(restored, image.repeat_interleave(2, -1).repeat_interleave(2, -2))


def test_tensors_of_16_bits():
    image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(DEEP, -1, 0)))
    restored = restore(image, Enlarge(scale=2))
    assert restored.dtype == torch.uint16
    np.testing.assert_array_equal(np.moveaxis(restored.numpy(), 0, -1), times(DEEP, 2))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ([1], "must be a numpy array, a Pillow image or a tensor, got list"),
        (RGB.astype(np.int32), "must be uint8, uint16 or floating-point, got int32"),
        (RGB[None], r"must be \(H, W\) or \(H, W, 1 to 4\), got shape \(1, 20, 28, 3\)"),
        (np.zeros((4, 4, 5), np.uint8), "1 to 4"),
        (RGB[:0], "must have pixels"),
        (np.full((4, 4), np.nan), "numbers that are not finite"),
        (torch.zeros(4, 4), r"\(C, H, W\) or \(N, C, H, W\), got shape \(4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), "uint8, uint16 or floating-point, got torch.int64"),
        (torch.zeros(5, 4, 4), "takes 3 channels; the image has 5"),
        (Image.new("F", (4, 4)), "the Pillow mode F is not supported"),
    ],
)
def test_images_that_are_refused(image, reason):
    with pytest.raises(UserError, match=reason):
        restore(image, Enlarge())


def test_gray_stays_gray_with_a_colour_network():
    network = Enlarge(3)
    restore(RGB[..., 0], network)
    assert network.inputs == [(1, 3, 20, 28)]


def test_a_gray_network_restores_the_luma_or_each_channel():
    luma, each = Enlarge(1, 2), Enlarge(1, 2)
    by_luma = restore(UNIT, luma, channels="y")
    by_channel = restore(UNIT, each, channels="each")
    assert luma.inputs == [(1, 1, 20, 28)] and each.inputs == [(1, 1, 20, 28)] * 3
    np.testing.assert_allclose(by_channel, times(UNIT, 2), atol=1e-6)
    weights = np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(by_luma @ weights, times(UNIT @ weights, 2), atol=1e-5)


def test_a_gray_network_does_not_change_colours_that_it_does_not_see():
    np.testing.assert_array_equal(restore(RGB, Enlarge(1)), RGB)


@pytest.mark.parametrize("scale", [1, 4])
def test_alpha_has_no_dark_fringe(scale):
    """A white disc on hidden black, over white: with the black in the edge it would get a dark rim."""
    y, x = np.mgrid[:40, :40] - 20
    opacity = (np.clip(15 - np.hypot(y, x), 0, 1) * 255).round().astype(np.uint8)
    image = np.dstack([np.where(opacity[..., None] > 0, 255, 0).astype(np.uint8).repeat(3, 2), opacity])
    restored = restore(image, Smooth(scale)).astype(float)
    assert restored[..., :3].min() > 253
    over_white = restored[..., :3] * restored[..., 3:] / 255 + 255 - restored[..., 3:]
    assert over_white.min() > 253
    assert restored[0, 0, 3] == 0 and restored[20 * scale, 20 * scale, 3] == 255
    if scale == 1:
        np.testing.assert_array_equal(restored[..., 3], opacity)


class Smooth(Enlarge):
    """Spreads every pixel over its neighbours, as networks do."""

    def __init__(self, scale: int):
        super().__init__(3, scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), "replicate"), 5, 1)
        return F.interpolate(x, scale_factor=self.scale, mode="bicubic") if self.scale > 1 else x


def test_tiles_are_counted_and_explained():
    network, steps = Enlarge(scale=2), []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        restored = restore(RGB, network, tile=16, overlap=4, progress=lambda *step: steps.append(step))
    np.testing.assert_array_equal(restored, times(RGB, 2))
    assert network.inputs == [(1, 3, 16, 16)] * 4
    assert steps == [(done, 4) for done in range(5)]
    notes = [str(each.message) for each in caught]
    assert notes[0] == "in 4 tiles of 16" and "differs a little" in notes[1]
    assert caught[0].filename == __file__


def test_progress_covers_flips_and_channels():
    steps = []
    restore(RGB, Enlarge(1), x8=True, channels="each", progress=lambda *step: steps.append(step))
    assert steps[0] == (0, 24) and steps[-1] == (24, 24) and steps == sorted(steps)


def test_x8_is_the_mean_over_flips_and_transposes():
    network = nn.Conv2d(3, 3, 3, padding=1)  # without symmetries
    x = torch.from_numpy(UNIT.astype(np.float32)).permute(2, 0, 1)[None]
    torch.testing.assert_close(restore(x, network, x8=True), restore_x8(network, x))
    assert (restore(x, network, x8=True) - restore(x, network)).abs().max() > 0.01


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("MPS backend out of memory"),
    RuntimeError("std::bad_alloc"),
]


@pytest.mark.filterwarnings("ignore:in 36 tiles", "ignore:a tile lacks", "ignore:out of memory")
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_out_of_memory_halves_the_tile_and_goes_on(error):
    image = RANDOM.integers(0, 256, (150, 170, 3), dtype=np.uint8)
    network, steps = Limited(50**2, error, scale=2), []
    with pytest.warns(UserWarning, match="out of memory; continued in tiles of 42"):
        restored = restore(image, network, progress=lambda *step: steps.append(step))
    np.testing.assert_array_equal(restored, times(image, 2))
    assert max(height for _, _, height, _ in network.inputs) == 42
    assert steps[-1][0] == steps[-1][1] > 1


def test_too_little_memory_for_a_tile_ends_in_one_line():
    with pytest.raises(UserError, match="not enough memory for a tile of 50x50 pixels"):
        restore(np.zeros((100, 100, 3), np.uint8), Limited(10, MemoryError()))


def test_the_allocators_own_error_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


def test_a_result_that_is_not_finite_is_computed_again_in_float32():
    with pytest.warns(UserWarning, match="not finite in half precision; computed again in float32"):
        np.testing.assert_array_equal(restore(RGB, BlackInHalf(), amp=True), RGB)


def test_a_network_in_half_precision_is_repeated_in_float32():
    class Overflow(nn.Module):
        in_channels, scale = 3, 1

        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(6e4))

        def forward(self, x):
            return x * self.factor * 4 / self.factor / 4  # more than the largest float16 on the way

    network = Overflow().half()
    with pytest.warns(UserWarning, match="computed again in float32"):
        np.testing.assert_allclose(restore(UNIT, network), UNIT, atol=1e-3)
    assert network.factor.dtype == torch.float16


def test_a_network_that_is_never_finite_is_refused():
    class Broken(Enlarge):
        def forward(self, x):
            return x * float("inf")

    with pytest.raises(UserError, match="the network's result is not finite"):
        restore(RGB, Broken())


def test_amp_is_close_to_float32():
    network = ConverseSRResNet(num_feat=8, num_block=1)
    with torch.no_grad():
        network.conv_last.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    exact, half = (restore(UNIT, network, amp=amp) for amp in (False, True))
    assert 0 < np.abs(exact - half).max() < 0.05


@pytest.mark.parametrize("side", [1, 3])
def test_images_smaller_than_the_padding(side):
    assert restore(RGB[:side, :side], ConverseDnCNN(num_feat=4, num_block=1)).shape == (side, side, 3)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tile": 0}, "tile: must be 1 or more, got 0"),
        ({"overlap": -1}, "overlap: must be 0 or more"),
        ({"tile": 16, "overlap": 16}, "overlap: must be 0 or more, and less than the tile, 16, got 16"),
        ({"channels": "rgb"}, "channels: must be y or each"),
        ({"scale": 2}, "scale: Enlarge has scale 1, got 2"),
        ({"scale": 9}, "scale: must be an integer from 1 to 8, got 9"),
        ({"device": "tpu9"}, "device: must be cpu, cuda, cuda:N or mps, got 'tpu9'"),
        ({"device": "cuda:63"}, "device: cuda:63 is not available; here are cpu"),
        ({"memory": "much"}, "memory: must be a size such as 4GB"),
        ({"memory": "1MB"}, "memory: must be more than the .* [MG]B that the program itself takes, got '1MB'"),
        ({"kernel": "gaussian:1"}, "Enlarge takes no blur kernel"),
    ],
)
def test_options_that_are_refused(options, reason):
    with pytest.raises(UserError, match=reason):
        restore(RGB, Enlarge(), **options)


def test_a_network_that_takes_a_kernel_refuses_to_run_without():
    with pytest.raises(UserError, match=r"ConverseUSRNet needs the blur kernel.*give --kernel.*ConverseNet is the"):
        restore(RGB, ConverseUSRNet(num_feat=4, num_block=1))


@pytest.mark.filterwarnings("ignore:in 6 tiles", "ignore:a tile lacks")
@pytest.mark.parametrize("scale", [1, 2])
def test_a_network_with_a_kernel(scale):
    network = ConverseUSRNet(num_feat=4, num_block=1).eval()
    kernel = RANDOM.random((7, 7)).astype(np.float32)
    kernel /= kernel.sum()
    x = torch.from_numpy(UNIT.astype(np.float32)).permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = network(x, torch.from_numpy(kernel)[None, None], scale)
    torch.testing.assert_close(restore(x, network, kernel=kernel, borders="circular", scale=scale), expected)
    batch = restore(x.repeat(2, 1, 1, 1), network, kernel=kernel, borders="circular", scale=scale, tile=16, overlap=8)
    assert batch.shape == (2, 3, 20 * scale, 28 * scale)
    if scale == 2:
        with pytest.raises(UserError, match="x8: flips do not fit a blur kernel with scale above 1"):
            restore(x, network, kernel=kernel, scale=scale, x8=True)


def test_large_kernels_are_cut_or_refused():
    network = ConverseUSRNet(num_feat=4, num_block=1)
    with pytest.warns(UserWarning, match="the blur kernel is cut to 7x7 taps, which lack 2% of its weight"):
        restore(RGB, network, kernel="gaussian:1.4")
    with pytest.raises(UserError, match=r"it has 19x19 taps, and \d+% of its weight is outside of the 7x7 taps"):
        restore(RGB, network, kernel="gaussian:3")


def test_borders_of_a_photograph_are_continued():
    """A network that inverts a circular blur, on an image that was cropped after the blur."""
    rng = np.random.default_rng(0)
    scene = ndimage.zoom(rng.random((14, 16, 3)), (8, 8, 1), order=3).clip(0, 1)
    kernel = np.full((5, 5), 1 / 25)
    blurred = ndimage.convolve(scene, kernel[..., None])[20:-20, 20:-20]
    network = ConverseUSRNet(num_feat=4, num_block=1, num_iterations=1, kernel_residual=True).eval()
    errors = {}
    for borders in ("circular", "replicate", None):
        found = restore(blurred, network, kernel=kernel, borders=borders)
        errors[borders] = ((found - scene[20:-20, 20:-20]) ** 2).mean()
    assert errors["replicate"] == errors[None] < 0.7 * errors["circular"]


def test_borders_that_have_no_effect():
    with pytest.raises(UserError, match=r"borders: ConverseSRResNet does not join them; leave --borders"):
        restore(RGB, ConverseSRResNet(num_feat=4, num_block=1), borders="replicate")
    with pytest.raises(UserError, match="borders: must be replicate or circular, got 'reflect'"):
        restore(RGB, ConverseUSRNet(num_feat=4, num_block=1), kernel="gaussian:1", borders="reflect")
