"""What is counted, against counts by hand and mmengine's; what is measured, by its form."""

import math

import pytest
import torch
from torch import nn

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr import Converse2D, ConverseBlock
from converse_basicsr.benchmark import timing
from converse_basicsr.benchmark.cost import measure_cost
from converse_basicsr.benchmark.flops import count_flops
from converse_basicsr.layers.pointwise import PointwiseConv2d
from converse_basicsr.layers.spatial import build_spatial_op

from basicsr.utils.registry import ARCH_REGISTRY


def counts(network, *inputs):
    return tuple(count_flops(network, inputs).values())


def fft_pair(points, complex_signals):
    """Multiply-adds of a transform and its inverse."""
    return 2 * 2.5 * points * math.log2(points) * (1 if complex_signals else 0.5)


@pytest.mark.parametrize(
    ("layer", "flops", "activations"),
    [
        (nn.Conv2d(3, 5, 3, padding=1), 2 * 5 * 3 * 9 * 48, 2 * 5 * 48),
        (nn.Conv2d(3, 6, 3, padding="same", groups=3), 2 * 6 * 9 * 48, 2 * 6 * 48),
        (nn.ConvTranspose2d(3, 5, 4, 2, 1), 2 * 5 * 3 * 16 * 48, 2 * 5 * 4 * 48),
        (PointwiseConv2d(3, 5), 2 * 5 * 3 * 48, 2 * 5 * 48),
        (build_spatial_op(3, 5, 1, 0, "replicate", 1, spatial_op="conv"), 2 * 3 * 25 * 48, 288),
        (Converse2D(3, 3, 2, 2), 2 * 3 * 4 * 48, 2 * 3 * 4 * 48),  # a depthwise transposed convolution
        (nn.BatchNorm2d(3), 0, 0),
        (nn.PReLU(), 0, 0),
    ],
    ids=["3x3", "same", "transposed", "1x1", "depthwise", "block form", "norm", "activation"],
)
def test_convolutions(layer, flops, activations):
    assert counts(layer, torch.rand(2, 3, 6, 8)) == (flops, flops, activations)


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_converse2d_of_scale_1_with_its_filter_cached(batch):
    points = (6 + 4) * (7 + 4)  # padded by 2
    if batch % 2:
        signals, bins = batch * 3, 10 * (11 // 2 + 1)
        activations = signals * (2 * bins + points)
    else:  # pairs share a complex transform
        signals, bins = batch // 2 * 3, points
        activations = signals * 2 * (2 * points)
    expected = signals * (fft_pair(points, batch % 2 == 0) + 4 * bins)
    flops, with_fft, values = counts(Converse2D(3, 3, 3, padding=2), torch.rand(batch, 3, 6, 7))
    assert (flops, values) == (0, activations)
    assert with_fft == pytest.approx(expected)


def test_converse2d_of_scale_2_transforms_y_once_and_its_four_phases_back():
    points, bins = 10 * 11, 10 * 6
    expected = 3 * (fft_pair(points, False) / 2 * 5 + 4 * 4 * bins)
    flops, with_fft, values = counts(Converse2D(3, 3, 3, 2, padding=2), torch.rand(1, 3, 6, 7))
    assert (flops, values) == (0, 3 * (2 * bins + 4 * points))
    assert with_fft == pytest.approx(expected)


class Spectral(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "flops"),
    [
        (lambda x: torch.fft.fft(x.to(torch.complex64), dim=1), 2.5 * 256 * 4),
        (lambda x: torch.fft.rfft(x), 1.25 * 256 * 4),
        (lambda x: torch.fft.irfft(x.to(torch.complex64)[:, :9]), 1.25 * 256 * 4),
        (lambda x: torch.fft.fftn(x), 2.5 * 256 * 8),  # torch makes it complex first
        (lambda x: torch.fft.rfftn(x, dim=(0, 1)), 1.25 * 256 * 8),
        (lambda x: x.to(torch.complex64) * 1j * x, 256 * (4 + 2)),
        (lambda x: x.to(torch.complex64).mul_(x).div_(2), 256 * (2 + 2)),
        (lambda x: x.to(torch.complex64) / x, 256 * 2),
        (lambda x: x.to(torch.complex64) @ x.to(torch.complex64), 4 * 256 * 16),
        (lambda x: x * x / 2, 0),
    ],
    ids=["fft", "rfft", "irfft", "fftn", "rfftn", "product", "in place", "division", "matmul", "real"],
)
def test_work_on_spectra(function, flops):
    assert counts(Spectral(function), torch.rand(16, 16))[:2] == (0, flops)


@pytest.mark.parametrize(
    ("function", "flops"),
    [
        (lambda x: x[0] @ x, 3 * 4**3),
        (lambda x: torch.zeros(3, 4, 4).baddbmm_(x, x), 3 * 4**3),
        (lambda x: torch.addmm(x[2], x[0], x[1]), 4**3),
    ],
    ids=["broadcast", "in place", "with a bias"],
)
def test_matrix_products(function, flops):
    assert counts(Spectral(function), torch.rand(3, 4, 4))[:2] == (flops, flops)


def test_a_whole_network():
    network = ARCH_REGISTRY.get("ConverseDnCNN")(num_feat=4, num_block=2, kernel_size=3)
    pixels, points, bins = 7 * 6, 11 * 10, 11 * 6
    spectral = 8 * (fft_pair(points, False) + 4 * bins)
    flops, with_fft, activations = counts(network, torch.rand(1, 1, 7, 6))
    assert flops == 2 * 4 * 4 * 8 * pixels + 2 * 4 * pixels
    assert with_fft - flops == pytest.approx(2 * spectral)
    assert activations == 2 * (2 * (8 + 4) * pixels + 8 * (2 * bins + points)) + (4 + 1) * pixels


def test_counts_do_not_depend_on_the_mode_or_on_cached_filters_and_leave_the_network_alone():
    torch.manual_seed(0)
    network, x = ConverseBlock(4, 3), torch.rand(2, 4, 6, 6)
    before = counts(network, x)
    assert network.training
    with torch.no_grad():
        expected = network.eval()(x)
    assert counts(network, x) == before
    assert not network.training
    with torch.no_grad():
        assert torch.equal(network(x), expected)


@pytest.mark.parametrize(
    ("arch", "options", "channels"),
    [("MSRResNet", {"num_feat": 8, "num_block": 2, "upscale": 4}, 3), ("DnCNN", {"num_feat": 8, "num_layer": 4}, 1)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mmengine_counts_the_same_convolutions(arch, options, channels):
    analysis = pytest.importorskip("mmengine.analysis")
    network, x = ARCH_REGISTRY.get(arch)(**options).eval(), torch.rand(1, channels, 12, 8)
    analyzer = analysis.FlopAnalyzer(network, x).unsupported_ops_warnings(False).tracer_warnings("none")
    flops, with_fft, _ = counts(network, x)
    assert flops == with_fft == analyzer.by_operator()["conv"]


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(timing, "SECONDS", 0.0)


def test_measure_cost(brief):
    network = ARCH_REGISTRY.get("ConverseSRResNet")(num_feat=4, num_block=1, upscale=2)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    cost = measure_cost(network, (torch.rand(2, 3, 8, 6),), 2, "cpu")
    assert list(cost) == [
        "input", "parameters", "flops", "flops_with_fft", "activations", "latency_ms", "throughput_mpixel_s",
        "training_step_ms", "peak_memory_mib",
    ]  # fmt: skip
    assert cost["input"] == [2, 3, 8, 6]
    assert cost["parameters"] == sum(value.numel() for value in state.values())
    for time in (cost["latency_ms"], cost["training_step_ms"]):
        assert 0 < time["low"] <= time["median"] <= time["high"] and time["runs"] == timing.MIN_RUNS
    pixels = 2 * 16 * 12
    assert cost["throughput_mpixel_s"] == pytest.approx(pixels / 1e6 / (cost["latency_ms"]["median"] / 1e3))
    output = pixels * 3 * 4 / 2**20
    assert output <= cost["peak_memory_mib"]["evaluation"] < cost["peak_memory_mib"]["training"]
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_peak_memory_of_what_is_held_at_once():
    x = torch.rand(256, 1024)  # 1 MiB

    def run():
        y = x + 1
        z = y + 1
        del y
        return (z + 1)[:, :2]

    assert timing.peak_memory(run, torch.device("cpu")) == pytest.approx(2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_cuda_device_the_counts_are_those_of_the_cpu(brief):
    network = ARCH_REGISTRY.get("ConverseSRResNet")(num_feat=4, num_block=1, upscale=2)
    x = torch.rand(2, 3, 8, 6)
    cpu, cuda = measure_cost(network, (x,), 2, "cpu"), measure_cost(network.cuda(), (x.cuda(),), 2, "cuda")
    assert [cuda[key] for key in ("parameters", "flops", "flops_with_fft", "activations")] == [
        cpu[key] for key in ("parameters", "flops", "flops_with_fft", "activations")
    ]
    assert 2 * 3 * 16 * 12 * 4 / 2**20 <= cuda["peak_memory_mib"]["evaluation"] < cuda["peak_memory_mib"]["training"]


def test_a_network_that_takes_a_kernel_and_a_scale(brief):
    network = ARCH_REGISTRY.get("ConverseUSRNet")(num_feat=4, num_block=1, num_iterations=2)
    kernel = torch.full((1, 1, 7, 7), 1 / 49)
    costs = [measure_cost(network, (torch.rand(1, 3, 8, 8), kernel, scale), scale, "cpu") for scale in (1, 2)]
    assert costs[0]["flops"] < costs[0]["flops_with_fft"] < costs[1]["flops_with_fft"]


def test_statistics_of_batch_normalisation_stay(brief):
    network = ARCH_REGISTRY.get("DnCNN")(num_feat=4, num_layer=3)
    measure_cost(network, (torch.rand(1, 1, 8, 8),), 1, "cpu")
    assert not network.body[3].running_mean.any()
