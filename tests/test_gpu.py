"""What only a CUDA device shows; skipped where there is none."""

import subprocess
import sys

import pytest
import torch
from tiny import write_images, write_options

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr import Converse2D, converse2d
from converse_basicsr.ops.dispatch import triton_kernels
from converse_basicsr.ops.padding import PADDING_MODES

from basicsr.archs import build_network

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

CASES = [(1, 5, 1), (2, 5, 1), (4, 7, 1), (2, 2, 2), (2, 3, 3), (1, 5, 2), (2, 5, 4)]


@pytest.mark.parametrize(("batch", "kernel_size", "scale"), CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_layer_and_gradients_are_those_of_the_cpu_in_float64(batch, kernel_size, scale, dtype):
    torch.manual_seed(0)
    layer = Converse2D(4, 4, kernel_size, scale, padding=3, padding_mode="replicate").double()
    y = torch.randn(batch, 4, 13, 12, dtype=torch.float64)
    upstream = torch.randn(batch, 4, 13 * scale, 12 * scale, dtype=torch.float64)
    results = []
    for device, precision in (("cpu", torch.float64), ("cuda", dtype)):
        moved = layer.to(device, precision)
        leaf = y.to(device, precision, copy=True).requires_grad_()
        x = moved(leaf)
        grads = torch.autograd.grad(x, [leaf, *moved.parameters()], upstream.to(device, precision))
        results.append([value.detach().double().cpu() for value in (x, *grads)])
    tolerance = 1e-9 if dtype == torch.float64 else 2e-5
    for expected, found in zip(*results, strict=True):
        assert (found - expected).abs().max() <= tolerance * expected.abs().max().clamp(min=1)


@pytest.mark.parametrize("prior", ["nearest", "zero", "bilinear"])
def test_a_psf_per_sample(prior):
    y, psf = torch.randn(3, 4, 9, 8).double(), torch.rand(3, 4, 5, 5).double()
    found = converse2d(y.cuda(), psf.cuda(), 0.1, 2, prior).cpu()
    torch.testing.assert_close(found, converse2d(y, psf, 0.1, 2, prior))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(dtype):
    torch.manual_seed(0)
    network = build_network({"type": "ConverseSRResNet", "num_feat": 16, "num_block": 2}).cuda()
    torch.nn.init.normal_(network.conv_last.weight, std=0.1)
    x = torch.rand(2, 3, 20, 24, device="cuda")
    with torch.autocast("cuda", dtype):
        y = network(x)
        y.float().square().mean().backward()
    torch.testing.assert_close(y.float(), network(x), rtol=0, atol=0.05)
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def test_published_weights_on_the_device(assets, golden):
    network = build_network({"type": "ConverseSRResNet"}).double().cuda().eval()
    network.load_state_dict(torch.load(assets / "weights/converse_srresnet.pth", weights_only=True))
    tensors = golden("converse_srresnet")
    with torch.no_grad():
        torch.testing.assert_close(network(tensors["x"].cuda()).cpu(), tensors["y"], rtol=0, atol=1e-9)


FUSED = [  # (N, C, h, w), scale
    ((4, 8, 40, 40), 1),
    ((1, 8, 33, 40), 1),
    ((3, 8, 24, 25), 1),
    ((2, 4, 24, 24), 2),
    ((3, 4, 16, 15), 3),
]


@pytest.fixture
def kernels():
    """The Triton kernels; what is fused is not tested where they cannot be had."""
    found = triton_kernels(torch.zeros(1, device="cuda"))
    if found is None:
        pytest.skip("Triton does not work on this device")
    return found


def without_triton(function):
    """What the function gives if Triton is not to be used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVERSE_TRITON", "0")
        return function()


def make_step(shape, scale, mode="replicate"):
    """A layer, its input, and a training step of both: the output and all gradients."""
    torch.manual_seed(0)
    n, c, h, w = shape
    layer = Converse2D(c, c, 5, scale, padding=4, padding_mode=mode, eps=1e-2).cuda()
    y, upstream = torch.randn(shape, device="cuda"), torch.randn(n, c, h * scale, w * scale, device="cuda")
    y.requires_grad_()

    def step():
        x = layer(y)
        return [x.detach(), *torch.autograd.grad(x, [y, *layer.parameters()], upstream)]

    return layer, y, step


def assert_near(found, expected, tolerance=2e-5):
    for value, other in zip(found, expected, strict=True):
        assert (value - other).abs().max() <= tolerance * other.abs().max().clamp(min=1)


@pytest.mark.parametrize(("shape", "scale"), FUSED)
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_the_kernels_do_what_plain_torch_does(kernels, monkeypatch, shape, scale, mode):
    _, _, step = make_step(shape, scale, mode)
    expected = without_triton(step)
    calls = []
    for name in ("multiply", "multiply_gradients", "pack", "unpack"):
        original = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *a, n=name, f=original: calls.append(n) or f(*a))
    first = step()
    assert {"multiply", "multiply_gradients", "pack", "unpack"} <= set(calls)
    assert_near(first, expected)


@pytest.mark.parametrize(("shape", "scale"), FUSED)
def test_multiply_and_its_gradients_repeat_to_the_bit(kernels, shape, scale):
    n, c, h, w = shape
    spectrum, filters = (
        torch.randn(*size, h, w, dtype=torch.complex64, device="cuda") for size in ((n, c, 1), (1, c, scale**2))
    )
    grad = kernels.multiply(spectrum, filters)
    torch.testing.assert_close(grad, spectrum * filters)
    found = [kernels.multiply_gradients(grad, spectrum, filters, (True, True)) for _ in range(2)]
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))
    torch.testing.assert_close(found[0][0], (grad * filters.conj()).sum(2, keepdim=True), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[0][1], (grad * spectrum.conj()).sum(0, keepdim=True), rtol=1e-4, atol=1e-4)


def test_double_precision_takes_plain_torch(kernels):
    assert triton_kernels(torch.zeros(1, device="cuda", dtype=torch.float64)) is None


def test_second_derivatives_pass_through_the_kernels(kernels):
    y, psf = torch.randn(2, 3, 12, 12, device="cuda"), torch.rand(1, 3, 5, 5, device="cuda") / 25
    results = []
    for dtype in (torch.float32, torch.float64):
        leaves = [x.to(dtype).requires_grad_() for x in (y, psf)]
        grads = torch.autograd.grad(converse2d(*leaves, 0.1).square().sum(), leaves, create_graph=True)
        results.append(torch.autograd.grad(sum(grad.square().sum() for grad in grads), leaves))
    for found, expected in zip(*results, strict=True):
        assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_a_step_never_waits_for_the_device(kernels):
    _, _, step = make_step((2, 4, 24, 24), 1)
    step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_offsets_beyond_32_bits(kernels):
    free, _ = torch.cuda.mem_get_info()
    n, side = 17, 8192  # 17 * 8192^2 complex numbers are more than 2^31 floats
    if free < 4 * n * side**2 * 8:
        pytest.skip("needs 37 GB of free memory")
    spectrum = torch.zeros(n, 1, 1, side, side, dtype=torch.complex64, device="cuda")
    filters = torch.randn(1, 1, 1, side, side, dtype=torch.complex64, device="cuda")
    spectrum[-1] = 1 + 2j
    product = kernels.multiply(spectrum, filters)
    torch.testing.assert_close(product[-1], spectrum[-1] * filters[0])
    assert not product[-2].any()
    to_spectrum, to_filters = kernels.multiply_gradients(product, spectrum, filters, (True, True))
    torch.testing.assert_close(to_filters[0], product[-1] * spectrum[-1].conj())
    torch.testing.assert_close(to_spectrum[-1], product[-1] * filters[0].conj())


@pytest.mark.parametrize(("shape", "scale"), FUSED)
def test_an_evaluation_can_be_captured_in_a_cuda_graph(shape, scale):
    layer, y, _ = make_step(shape, scale)
    layer.eval()
    with torch.no_grad():
        layer(y)  # compiles
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = layer(y)
        y.copy_(torch.randn_like(y))
        graph.replay()
        torch.testing.assert_close(captured, layer(y))


def test_a_training_step_can_be_captured_in_a_cuda_graph():
    _, y, step = make_step((4, 4, 24, 24), 1)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()  # compiles
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    with torch.no_grad():
        y.copy_(torch.randn_like(y))
    graph.replay()
    assert_near(captured, step())


def test_the_command_trains_with_cuda_prefetch(in_tmp):
    write_images(in_tmp / "data")
    write_options(in_tmp / "tiny.yml", num_gpu=1, datasets__train__num_worker_per_gpu=1)
    command = [sys.executable, "-m", "converse_basicsr", "train", "-opt", "tiny.yml"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Use cuda prefetch dataloader" in result.stderr
    assert (in_tmp / "experiments/tiny/models/net_g_latest.pth").is_file()
