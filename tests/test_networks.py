"""The networks: published weights, golden outputs, options, gradients, and errors."""

import pytest
import torch
from torch import nn

from converse_basicsr import Converse2D, converse2d
from converse_basicsr.inference.deconvolution import Deconvolution
from converse_basicsr.networks import (
    ConverseDnCNN,
    ConverseNet,
    ConverseSRResNet,
    ConverseUSRNet,
    DeconvolutionResNet,
    DnCNN,
    UpsamplerSRResNet,
)
from converse_basicsr.networks.noise_level import noise_level
from converse_basicsr.networks.smoothing import Smoothing
from converse_basicsr.ops.steps import smoothed

PUBLISHED = {
    "converse_dncnn": (ConverseDnCNN, 796_353),
    "converse_srresnet": (ConverseSRResNet, 699_072),
    "converse_usrnet": (ConverseUSRNet, 307_987),
    "conversenet": (ConverseNet, 243_267),
}
NETWORKS = [network for network, _ in PUBLISHED.values()]
TINY = {"num_feat": 4, "num_block": 2}


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("network", "count"), PUBLISHED.values())
def test_defaults_are_the_published_size(network, count):
    assert parameters(network()) == count


@pytest.mark.parametrize("file", [*PUBLISHED, "converse_usrnet_x2"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_published_weights_reproduce_the_golden_output(assets, golden, file, dtype):
    weights = file.removesuffix("_x2")
    network = PUBLISHED[weights][0]().to(dtype).eval()
    state_dict = torch.load(assets / "weights" / f"{weights}.pth", weights_only=True)
    network.load_state_dict(state_dict, strict=True)
    tensors = golden(file)
    inputs = [tensors["x"].to(dtype)]
    if "kernel" in tensors:
        inputs += [tensors["kernel"].to(dtype), int(tensors["scale"])]
    with torch.no_grad():
        difference = (network(*inputs).double() - tensors["y"]).abs().max().item()
    tolerance = 1e-5 if dtype == torch.float32 else 2e-6 if "usrnet" in file else 1e-9
    assert difference <= tolerance


@pytest.mark.parametrize("file", PUBLISHED)
def test_state_dict_keys_and_shapes(assets, file):
    listed, current = {}, None
    for line in (assets / "golden/state_dict_keys.txt").read_text().splitlines():
        if line.startswith("##"):
            current = listed.setdefault(line.split("weights/")[1].split(".pth")[0], {})
        elif line.strip():
            key, shape = line.split("\t")
            current[key] = shape
    network = PUBLISHED[file][0]()
    assert {key: str(tuple(value.shape)) for key, value in network.state_dict().items()} == listed[file]


def run_network(network_class, **options):
    torch.manual_seed(0)
    network = network_class(**{**TINY, **options}).double()
    with torch.no_grad():  # away from initial values that hide other layers: zeros, kernels with sum 1
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    generator = torch.Generator().manual_seed(1)
    channels = options.get("num_in_ch", 1 if network_class is ConverseDnCNN else 3)
    inputs = [torch.rand(1, channels, 11, 9, generator=generator, dtype=torch.float64)]
    if network_class is ConverseUSRNet:
        size = options.get("psf_size", 7)
        kernel = torch.rand(1, 1, size, size, generator=generator, dtype=torch.float64)
        inputs += [kernel / kernel.sum(), 2]
    return network(*inputs)


@pytest.mark.parametrize("network_class", NETWORKS)
def test_channels_last_changes_nothing(network_class):
    torch.manual_seed(0)
    network = network_class(**TINY).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2) if not parameter.any() else None
    x = torch.rand(2, 1 if network_class is ConverseDnCNN else 3, 9, 8).double()
    kernel = [torch.full((2, 1, 7, 7), 1 / 49).double(), 2] if network_class is ConverseUSRNet else []
    results = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        leaf = x.clone(memory_format=memory_format).requires_grad_()
        y = network.to(memory_format=memory_format)(leaf, *kernel)
        results.append([y, *torch.autograd.grad(y.sin().sum(), [leaf, *network.parameters()])])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


BLOCK_OPTIONS = [
    {"num_feat": 6},
    {"num_block": 3},
    {"kernel_size": 4},
    {"padding": 1},
    {"padding_mode": "reflect"},
    {"eps": 0.5},
    {"prior": "zero"},
    {"psf_init": "uniform"},
    {"psf_init": "gaussian"},
    {"fast_size": True},
    {"spatial_op": "conv"},
    {"spatial_op": "conv_transpose"},
]
OWN_OPTIONS = {
    ConverseDnCNN: [{"num_in_ch": 3}, {"num_out_ch": 3}],
    ConverseSRResNet: [
        {"num_in_ch": 1},
        {"num_in_ch": 1, "num_out_ch": 1},
        {"upscale": 2},
        {"upscale": 3},
        {"upscale": 8},
        {"up_eps": 0.5},
        {"prior": "bilinear"},
    ],
    ConverseNet: [{"num_in_ch": 1}, {"num_out_ch": 1}, {"num_iterations": 2}],
    ConverseUSRNet: [
        {"num_in_ch": 1},
        {"num_out_ch": 1},
        {"num_iterations": 2},
        {"psf_size": 5},
        {"num_embed": 8},
        {"data_eps": 0.5},
        {"kernel_residual": True},
        {"adapt_to_noise": True},
        {"prior": "bicubic"},
    ],
}


@pytest.mark.parametrize(
    ("network_class", "changed"),
    [(network, option) for network in NETWORKS for option in BLOCK_OPTIONS + OWN_OPTIONS[network]],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value),
)
def test_every_option_changes_the_network(network_class, changed):
    before, after = run_network(network_class), run_network(network_class, **changed)
    assert torch.isfinite(after).all()
    assert before.shape != after.shape or (before - after).abs().max() > 1e-7


@pytest.mark.parametrize("network_class", NETWORKS)
@pytest.mark.parametrize("spatial_op", ["conv", "conv_transpose"])
def test_baselines_have_the_same_size_and_no_converse2d(network_class, spatial_op):
    baseline = network_class(spatial_op=spatial_op)
    assert parameters(baseline) == parameters(network_class())
    assert not any(isinstance(module, Converse2D) for module in baseline.modules())


@pytest.mark.parametrize("upscale", [2, 3, 4, 8])
@pytest.mark.parametrize("spatial_op", ["converse", "conv", "conv_transpose"])
def test_srresnet_upscales_and_starts_as_its_bilinear_skip(upscale, spatial_op):
    network = ConverseSRResNet(**TINY, upscale=upscale, spatial_op=spatial_op)
    x = torch.rand(2, 3, 7, 6)
    expected = nn.functional.interpolate(x, scale_factor=upscale, mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize(
    ("network_class", "options"),
    [
        *((network, {}) for network in NETWORKS),
        (ConverseUSRNet, {"kernel_residual": True}),
        (ConverseUSRNet, {"kernel_residual": True, "reuse_input": True, "adapt_to_noise": True}),
        (ConverseUSRNet, {"kernel_residual": True, "reuse_input": True, "smooth_prior": True}),
        (DeconvolutionResNet, {}),
    ],
)
def test_every_parameter_is_trained(network_class, options):
    torch.manual_seed(0)
    network = network_class(**TINY, **options)
    with torch.no_grad():
        for parameter in network.parameters():  # with a kernel of sum 1, x0 is the solution for any lam
            parameter.add_(0.1 * torch.randn_like(parameter))
    inputs = [torch.rand(2, 1 if network_class is ConverseDnCNN else 3, 8, 9)]
    if network_class in (ConverseUSRNet, DeconvolutionResNet):
        inputs += [torch.full((2, 1, 7, 7), 1 / 49)]
    network(*inputs).square().mean().backward()
    still = [key for key, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert still == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"upscale": 5}, "upscale must be one of 2, 3, 4, 8, got 5"),
        ({"spatial_op": "deconv"}, "spatial_op must be one of converse, conv, conv_transpose, got 'deconv'"),
        ({"spatial_op": "conv_transpose", "kernel_size": 4}, "conv_transpose with scale 1 needs an odd kernel_size"),
        ({"num_in_ch": 4}, r"the skip needs num_in_ch 1 or num_out_ch \(3\), got 4"),
    ],
)
def test_srresnet_errors_name_the_value(options, message):
    with pytest.raises(ValueError, match=message):
        ConverseSRResNet(**options)


def test_usrnet_names_a_kernel_that_does_not_fit():
    network = ConverseUSRNet(**TINY)
    with pytest.raises(ValueError, match=r"kernel must be \(2, 1, 7, 7\) for .* got \(2, 1, 5, 5\)"):
        network(torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 5, 5))


@pytest.mark.parametrize("spatial_op", ["converse", "conv", "conv_transpose"])
@pytest.mark.parametrize(
    ("network_class", "channels"), [(ConverseDnCNN, 1), (ConverseDnCNN, 3), (ConverseNet, 3), (ConverseUSRNet, 3)]
)
def test_an_untrained_network_gives_nearly_its_input(network_class, channels, spatial_op):
    torch.manual_seed(0)
    options = {"num_in_ch": channels, "num_out_ch": channels, "num_feat": 64, "num_block": 2, "spatial_op": spatial_op}
    network = network_class(**options)
    x = torch.rand(2, channels, 24, 24)
    y = network(x, torch.full((2, 1, 7, 7), 1 / 49)) if network_class is ConverseUSRNet else network(x)
    assert (y - x).abs().mean() < 0.3 * x.std()
    assert not torch.equal(y, x)


@pytest.mark.parametrize("psf_size", [4, 7])
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("network_class", [ConverseUSRNet, DeconvolutionResNet])
def test_a_network_that_knows_its_kernel_starts_as_a_deconvolution(network_class, scale, psf_size):
    torch.manual_seed(0)
    options = {"kernel_residual": True, "psf_size": psf_size} if network_class is ConverseUSRNet else {}
    x, kernel = torch.rand(2, 3, 9, 8).double(), torch.rand(2, 1, psf_size, psf_size).double()
    kernel /= kernel.sum((2, 3), keepdim=True)
    expected = converse2d(x, kernel.expand(-1, 3, -1, -1), torch.full((1, 3, 1, 1), 0.05).double(), scale, "nearest")
    found = network_class(**TINY, **options).double()(x, kernel, scale)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)  # conv1 is inverted in float32


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_reuse_input_starts_as_repeated_deconvolution(scale):
    torch.manual_seed(0)
    x, kernel = torch.rand(2, 3, 9, 8).double(), torch.rand(2, 1, 7, 7).double()
    kernel /= kernel.sum((2, 3), keepdim=True)
    lam, prior = torch.full((1, 3, 1, 1), 0.05).double(), "nearest"
    for _ in range(3):
        prior = converse2d(x, kernel.expand(-1, 3, -1, -1), lam, scale, prior)
    network = ConverseUSRNet(**TINY, num_iterations=3, kernel_residual=True, reuse_input=True).double()
    torch.testing.assert_close(network(x, kernel, scale), prior, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("psf_size", [7, 14])
def test_corrections_of_the_kernel_shrink_with_the_number_of_taps(psf_size):
    torch.manual_seed(0)
    x, kernel = torch.rand(2, 3, 16, 15).double(), torch.rand(2, 1, psf_size, psf_size).double()
    kernel /= kernel.sum((2, 3), keepdim=True)
    network = ConverseUSRNet(**TINY, num_iterations=1, psf_size=psf_size, kernel_residual=True).double()
    nn.init.constant_(network.convs[0].bias, 0.01)
    for conv in (network.conv1, network.conv2):
        nn.init.zeros_(conv.bias)  # a psf whose sum is not 1 would change it
    corrected = kernel.expand(-1, 3, -1, -1) + 0.01 * (7 / psf_size) ** 2
    expected = converse2d(x, corrected, torch.full((1, 3, 1, 1), 0.05).double(), 1, "nearest")
    torch.testing.assert_close(network(x, kernel), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("scale", "prior"), [(1, "nearest"), (2, "bicubic"), (3, "bicubic")])
def test_networks_start_as_the_deconvolution_in_steps(scale, prior):
    torch.manual_seed(0)
    x, kernel = torch.rand(1, 3, 9, 8).double(), torch.rand(1, 1, 7, 7).double()
    kernel /= kernel.sum()
    expected = Deconvolution(kernel[0, 0].numpy(), 0.05, scale, borders="circular", steps=3).double()
    expected.psf = kernel  # which it holds in float32
    options = {"kernel_residual": True, "reuse_input": True, "smooth_prior": True, "prior": prior}
    for network in (
        ConverseUSRNet(**TINY, num_iterations=3, **options),
        DeconvolutionResNet(**TINY, prior=prior, steps=3),
    ):
        torch.testing.assert_close(network.double()(x, kernel, scale), expected(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(2, 2), (3, 2), (40, 33)])
def test_smoothing_is_a_circular_filter(size):
    x = torch.rand(2, 4, *size, generator=torch.Generator().manual_seed(0))
    layer = Smoothing(4)
    torch.testing.assert_close(layer(x), smoothed(x))


def test_reuse_input_changes_a_trained_network():
    kept, reused = (run_network(ConverseUSRNet, kernel_residual=True, reuse_input=reuse) for reuse in (False, True))
    assert (kept - reused).abs().max() > 1e-7


@pytest.mark.parametrize("exponent", [0, 0.5, 1])
def test_adapt_to_noise_weighs_the_prior_by_a_power_of_the_variance_of_the_noise(exponent):
    """Untrained, each sample is the deconvolution with its own weight."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 3, 32, 30, generator=generator).double() * torch.tensor([0.01, 0.04]).reshape(2, 1, 1, 1)
    x, kernel = 0.5 + noise, torch.rand(2, 1, 7, 7, generator=generator).double()
    kernel /= kernel.sum((2, 3), keepdim=True)
    options = {"kernel_residual": True, "num_iterations": 1, "adapt_to_noise": True}
    network = ConverseUSRNet(**{**TINY, **options}).double()
    exponents = network.d.noise_exponent
    assert exponents.requires_grad and exponents[0, 0] == 1 and exponents[0, -1] == 0
    nn.init.constant_(exponents, exponent)
    found = network(x, kernel, 2)
    ratio = (noise_level(x) / 0.01) ** 2
    assert ratio[1] > 10 * ratio[0]
    lam = 0.05 * ratio**exponent
    for i in range(2):
        expected = converse2d(x[i : i + 1], kernel[i : i + 1].expand(-1, 3, -1, -1), lam[i].item(), 2, "nearest")
        torch.testing.assert_close(found[i : i + 1], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("sigma", [0.5, 2.55, 12.75])
def test_noise_level_of_a_smooth_image(sigma, dtype):
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(0, 1, 200), torch.linspace(0, 1, 150), indexing="ij")
    smooth = 0.3 + 0.2 * torch.sin(3 * x) * y + 0.2 * x
    image = (smooth + sigma / 255 * torch.randn(2, 3, 200, 150, generator=generator)).to(dtype)
    found = noise_level(image)
    assert found.shape == (2, 1, 1, 1)
    assert (255 * found / sigma - 1).abs().max() < 0.02


def test_noise_level_of_a_plane_is_zero():
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(8.0), indexing="ij")
    assert noise_level((x + 2 * y)[None, None]).abs().max() < 1e-6


def test_noise_level_needs_three_pixels():
    with pytest.raises(ValueError, match="3x3 pixels or more"):
        noise_level(torch.rand(1, 3, 2, 9))


@pytest.mark.parametrize(
    ("network_class", "options", "message"),
    [
        (ConverseUSRNet, {"adapt_to_noise": True, "spatial_op": "conv"}, "adapt_to_noise needs spatial_op 'converse'"),
        (ConverseUSRNet, {"adapt_to_noise": "yes"}, "adapt_to_noise must be True or False, got 'yes'"),
        (ConverseUSRNet, {"kernel_residual": True, "spatial_op": "conv"}, "needs spatial_op 'converse', got 'conv'"),
        (ConverseUSRNet, {"kernel_residual": True, "data_eps": 0.05}, "data_eps must be below 0.05, got 0.05"),
        (ConverseUSRNet, {"reuse_input": True}, "reuse_input needs kernel_residual: true"),
        (ConverseUSRNet, {"smooth_prior": True}, "smooth_prior needs reuse_input: true"),
        (ConverseUSRNet, {"kernel_residual": 1}, "kernel_residual must be True or False, got 1"),
        (DeconvolutionResNet, {"lam": 0}, "lam must be a number above 0, got 0"),
        (DeconvolutionResNet, {"prior": "cubic"}, "prior 'cubic' is not known"),
    ],
)
def test_options_of_known_kernels_name_the_value(network_class, options, message):
    with pytest.raises(ValueError, match=message):
        network_class(**TINY, **options)


def test_channels_that_cannot_be_undone_are_left_as_they_are():
    x = torch.rand(1, 1, 12, 12)
    assert ConverseNet(num_in_ch=1, num_feat=4, num_block=1)(x).shape[1] == 3


@pytest.mark.parametrize(
    ("network", "in_channels", "scale"),
    [
        (ConverseDnCNN(**TINY), 1, 1),
        (ConverseNet(num_in_ch=1, **TINY), 1, 1),
        (ConverseUSRNet(**TINY), 3, 1),
        (ConverseSRResNet(upscale=8, **TINY), 3, 8),
        (DeconvolutionResNet(num_in_ch=1, **TINY), 1, 1),
        (UpsamplerSRResNet(num_in_ch=1, num_out_ch=1, upscale=3, **TINY), 1, 3),
        (DnCNN(num_in_ch=3, num_feat=4, num_layer=3), 3, 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_networks_say_their_channels_and_scale(network, in_channels, scale):
    assert (network.in_channels, network.scale) == (in_channels, scale)


def test_dncnn_without_batch_norm_is_dncnn_with_the_norm_inside_its_convolutions():
    torch.manual_seed(0)
    network = DnCNN(num_feat=4, num_layer=4).double().eval()
    for module in network.body:
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.weight.data, module.bias.data):
                tensor.normal_()
            module.running_var.uniform_(0.5, 2)
    merged = DnCNN(num_feat=4, num_layer=4, batch_norm=False).double().eval()
    layers = iter([module for module in merged.body if isinstance(module, nn.Conv2d)])
    for module, following in zip(network.body, [*network.body[1:], None], strict=True):
        if isinstance(module, nn.Conv2d):
            norm = isinstance(following, nn.BatchNorm2d)
            fused = torch.nn.utils.fusion.fuse_conv_bn_eval(module, following) if norm else module
            next(layers).load_state_dict(fused.state_dict())
    x = torch.rand(1, 1, 9, 8).double()
    torch.testing.assert_close(merged(x), network(x))
    with pytest.raises(ValueError, match="batch_norm must be True or False, got 'no'"):
        DnCNN(batch_norm="no")
