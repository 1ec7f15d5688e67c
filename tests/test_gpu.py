"""What only a CUDA device shows; skipped where there is none."""

import subprocess
import sys

import pytest
import torch
from tiny import write_images, write_options

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr import Converse2D, converse2d

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


def test_an_evaluation_can_be_captured_in_a_cuda_graph():
    layer = Converse2D(4, 4, 5, padding=4).cuda().eval()
    y = torch.randn(2, 4, 24, 24, device="cuda")
    with torch.no_grad():
        expected = layer(y)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = layer(y)
        graph.replay()
    torch.testing.assert_close(captured, expected)


def test_the_command_trains_with_cuda_prefetch(in_tmp):
    write_images(in_tmp / "data")
    write_options(in_tmp / "tiny.yml", num_gpu=1, datasets__train__num_worker_per_gpu=1)
    command = [sys.executable, "-m", "converse_basicsr", "train", "-opt", "tiny.yml"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Use cuda prefetch dataloader" in result.stderr
    assert (in_tmp / "experiments/tiny/models/net_g_latest.pth").is_file()
