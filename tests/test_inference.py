"""Tiling, self-ensemble, and calling a network: invariances, and errors by their messages."""

from functools import partial
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from converse_basicsr import converse2d
from converse_basicsr.errors import UserError
from converse_basicsr.inference import restore_tiled, restore_x8
from converse_basicsr.inference.calling import call_network, pad_to_window, takes_kernel
from converse_basicsr.networks import ConverseSRResNet

SIZES = [  # image, tile, overlap
    ((40, 40), 16, 4),
    ((37, 53), 16, 5),
    ((33, 20), 16, 0),
    ((17, 16), 16, 4),
    ((5, 40), 16, 4),
    ((5, 7), 16, 4),
    ((30, 11), 9, 8),
    ((3, 4), 1, 0),
]


def random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def conv(x: torch.Tensor, scale: int = 1) -> torch.Tensor:
    """A 3x3 convolution without symmetries, zeros around it, then nearest upsampling."""
    return F.interpolate(F.conv2d(x, random(2, x.shape[1], 3, 3) - 0.4, padding=1), scale_factor=scale)


def turns(x: torch.Tensor) -> list[torch.Tensor]:
    return [turned.rot90(quarter, (-2, -1)) for turned in (x, x.mT) for quarter in range(4)]


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize(("size", "tile", "overlap"), SIZES)
@pytest.mark.parametrize("constant", [True, False])
def test_identity_in_tiles_is_the_identity(size, tile, overlap, scale, constant):
    lq = torch.full((1, 1, *size), 0.7) if constant else random(2, 3, *size).float()
    upsample = partial(F.interpolate, scale_factor=scale)
    restored = restore_tiled(upsample, lq, scale, tile, overlap)
    torch.testing.assert_close(restored, upsample(lq), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("size", "tile", "overlap"), SIZES)
def test_tiles_are_equal_in_size_flush_with_the_borders_and_overlap(size, tile, overlap):
    rows, columns = torch.meshgrid(*(torch.arange(float(length)) for length in size), indexing="ij")
    seen = []

    def record(patch):
        seen.append(patch)
        return patch

    restore_tiled(record, torch.stack([rows, columns])[None], 1, tile, overlap)
    assert {tuple(patch.shape[-2:]) for patch in seen} == {tuple(min(tile, length) for length in size)}
    count = 1
    for axis, length in enumerate(size):
        starts = sorted({int(patch[0, axis, 0, 0]) for patch in seen})
        assert starts[0] == 0 and starts[-1] == length - min(tile, length)
        assert all(after - before <= tile - overlap for before, after in pairwise(starts))
        assert len(starts) == max(1, np.ceil((length - overlap) / (tile - overlap)))
        count *= len(starts)
    assert len(seen) == count


@pytest.mark.parametrize(("tile", "overlap"), [(12, 4), (16, 8), (9, 7), (64, 4)])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_reach_within_a_quarter_of_the_overlap_leaves_no_seam(tile, overlap, scale):
    lq, network = random(2, 3, 37, 45), partial(conv, scale=scale)
    restored = restore_tiled(network, lq, scale, tile, overlap)
    torch.testing.assert_close(restored, network(lq), atol=1e-12, rtol=0)


def test_without_overlap_there_are_seams():
    lq = random(2, 3, 32, 48)
    assert (restore_tiled(conv, lq, 1, 16, 0) - conv(lq)).abs().max() > 0.1


def test_blending_is_a_ramp_over_the_middle_half_of_the_overlap():
    values = iter([0.0, 1.0])
    restored = restore_tiled(lambda tile: torch.full_like(tile, next(values)), torch.zeros(1, 1, 4, 24), 1, 16, 8)
    ramp = torch.tensor([0.0] * 10 + [0.125, 0.375, 0.625, 0.875] + [1.0] * 10)
    torch.testing.assert_close(restored, ramp.expand(1, 1, 4, 24))


@pytest.mark.parametrize(("device", "expected"), [(None, "cpu"), ("meta", "meta")])
def test_tiles_are_moved_to_the_device_and_the_result_stays_on_the_cpu(device, expected):
    devices = set()

    def restore(tile):
        devices.add(tile.device.type)
        return torch.zeros(tile.shape)

    assert restore_tiled(restore, torch.ones(1, 3, 20, 20), 1, 8, 2, device).device.type == "cpu"
    assert devices == {expected}


@pytest.mark.parametrize("restore", [partial(restore_tiled, scale=1, tile=8, overlap=2), restore_x8])
def test_half_precision_is_blended_in_float32_and_keeps_no_gradient(restore):
    lq = random(1, 3, 20, 14)
    gain = torch.ones((), dtype=torch.half, requires_grad=True)

    def network(x):
        return x.half() * gain

    def in_half(*args, **options):
        return restore(network, *args, **options)

    restored = in_half(lq)
    assert restored.dtype == torch.float32 and not restored.requires_grad
    torch.testing.assert_close(restored, lq.half().float(), atol=1e-6, rtol=0)


def test_x8_of_the_identity_is_the_identity():
    lq = random(2, 3, 9, 14)
    before = lq.clone()
    torch.testing.assert_close(restore_x8(lambda x: x, lq), before, atol=1e-15, rtol=0)
    assert torch.equal(lq, before)


def test_x8_of_an_equivariant_network_is_the_network():
    laplacian = torch.tensor([[1.0, 2, 1], [2, -12, 2], [1, 2, 1]], dtype=torch.float64)[None, None]

    def network(x):
        return F.interpolate(F.conv2d(x, laplacian, padding=1).relu(), scale_factor=2, mode="bilinear")

    lq = random(2, 1, 9, 14)
    torch.testing.assert_close(restore_x8(network, lq), network(lq), atol=1e-12, rtol=0)


@pytest.mark.parametrize("scale", [1, 2])
def test_x8_makes_any_network_equivariant(scale):
    lq, network = random(2, 3, 9, 14), partial(conv, scale=scale)
    restored = restore_x8(network, lq)
    assert (restored - network(lq)).abs().max() > 0.1
    for turned, expected in zip(turns(lq), turns(restored), strict=True):
        torch.testing.assert_close(restore_x8(network, turned), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("samples", [1, 2])
def test_x8_turns_the_kernel_with_the_image(samples):
    lq, kernel = random(2, 3, 12, 17), random(samples, 1, 5, 5) / 12
    network = partial(converse2d, lam=1e-3)
    torch.testing.assert_close(restore_x8(network, lq, kernel), network(lq, kernel), atol=1e-10, rtol=0)


def test_x8_of_tiles_is_x8_of_the_whole_within_reach():
    lq = random(1, 3, 25, 38)
    tiled = partial(restore_tiled, partial(conv, scale=2), scale=2, tile=16, overlap=4)
    expected = restore_x8(partial(conv, scale=2), lq)
    torch.testing.assert_close(restore_x8(tiled, lq), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lq": torch.zeros(3, 20, 20)}, r"lq must be a floating-point \(N, C, H, W\) tensor, got .* \(3, 20, 20\)"),
        ({"lq": torch.zeros(1, 3, 20, 20, dtype=torch.uint8)}, "lq must be a floating-point .* got torch.uint8"),
        ({"scale": 0}, "scale must be an integer of 1 or more, got 0"),
        ({"tile": 0, "overlap": 0}, "tile must be an integer of 1 or more, got 0"),
        ({"tile": 8.0}, "tile must be an integer of 1 or more, got 8.0"),
        ({"overlap": 8}, r"overlap must be smaller than tile \(8\), got 8"),
        ({"overlap": -1}, "overlap must be an integer of 0 or more, got -1"),
        ({"scale": 2}, r"return \(1, C, 16, 16\) for a tile \(1, 3, 8, 8\) and scale 2, got \(1, 3, 8, 8\)"),
    ],
)
def test_tiling_names_what_does_not_fit(changed, message):
    arguments = {"lq": torch.zeros(1, 3, 20, 20), "scale": 1, "tile": 8, "overlap": 2, **changed}
    with pytest.raises(ValueError, match=message):
        restore_tiled(lambda tile: tile, **arguments)


@pytest.mark.parametrize(
    ("kernel", "scale", "message"),
    [
        (torch.ones(1, 1, 4, 4), 1, r"kernel must be \(N, 1, k, k\) with odd k.* got \(1, 1, 4, 4\)"),
        (torch.ones(5, 5), 1, r"kernel must be \(N, 1, k, k\) with odd k.* got \(5, 5\)"),
        (torch.ones(1, 1, 5, 5), 2, r"x8 with a kernel needs scale 1, got \(1, 3, 12, 16\) from \(1, 3, 6, 8\)"),
    ],
)
def test_x8_names_a_kernel_that_cannot_be_turned(kernel, scale, message):
    with pytest.raises(ValueError, match=message):
        restore_x8(partial(converse2d, lam=1e-3, scale=scale), torch.zeros(1, 3, 6, 8), kernel)


@pytest.mark.parametrize(
    ("size", "window", "rows", "columns"),
    [
        ((3, 2), 1, [0, 1, 2], [0, 1]),
        ((4, 3), 2, [0, 1, 2, 3], [0, 1, 2, 1]),
        ((5, 3), 4, [0, 1, 2, 3, 4, 3, 2, 1], [0, 1, 2, 1]),
        ((5, 1), 4, [0, 1, 2, 3, 4, 3, 2, 1], [0] * 4),
        ((2, 3), 8, [0] + [1] * 7, [0, 1] + [2] * 6),
    ],
)
def test_padding_to_the_window_reflects_or_replicates(size, window, rows, columns):
    lq = random(2, 3, *size)
    assert torch.equal(pad_to_window(lq, window), lq[..., rows, :][..., columns])


class Conditioned(torch.nn.Module):
    def forward(self, x, kernel, scale):
        return F.interpolate(x, scale_factor=scale) * kernel.sum()


def test_a_network_is_called_with_the_kernel_if_it_takes_one():
    lq, kernel = random(1, 3, 5, 7), random(1, 1, 3, 3)
    expected = F.interpolate(lq, scale_factor=2)
    torch.testing.assert_close(call_network(Conditioned(), lq, kernel, 2, window=4), expected * kernel.sum())
    assert torch.equal(call_network(torch.nn.Upsample(scale_factor=2), lq, kernel, 2, window=4), expected)
    with pytest.raises(UserError, match="this network needs the blur kernel, and the data set has none; use BlurData"):
        call_network(Conditioned(), lq, None, 2)
    assert takes_kernel(torch.nn.DataParallel(Conditioned()))


def test_published_srresnet_in_tiles_is_close_to_the_whole(assets):
    from basicsr.metrics import calculate_psnr
    from basicsr.utils import img2tensor, tensor2img
    from basicsr.utils.matlab_functions import imresize

    network = ConverseSRResNet().eval()
    network.load_state_dict(torch.load(assets / "weights/converse_srresnet.pth", weights_only=True))
    gt = cv2.imread(str(assets / "testsets/set5/woman_GT.bmp"))[:320, :192]
    lq = img2tensor(imresize(gt.astype(np.float32) / 255, 0.25))[None]
    with torch.no_grad():
        whole = network(lq)
    tiled = restore_tiled(network, lq, scale=4, tile=48, overlap=16)
    psnr = [calculate_psnr(tensor2img(x), gt, crop_border=4, test_y_channel=True) for x in (whole, tiled)]
    assert abs(psnr[0] - psnr[1]) < 0.05
