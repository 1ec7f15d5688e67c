"""Which network a state dict is for: from its keys and shapes alone."""

import pytest
import torch

from converse_basicsr import networks
from converse_basicsr.layers.upsamplers import UPSAMPLERS
from converse_basicsr.weights.detection import detect

BLOCKS = {"num_feat": 4, "num_block": 2, "kernel_size": 3}
NETWORKS = [
    ("ConverseDnCNN", {"num_in_ch": 1, "num_out_ch": 1, **BLOCKS}),
    ("ConverseDnCNN", {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 6, "num_block": 1, "kernel_size": 5}),
    ("ConverseNet", {"num_in_ch": 1, "num_out_ch": 3, **BLOCKS}),
    ("ConverseUSRNet", {**BLOCKS, "num_in_ch": 1, "num_iterations": 3, "psf_size": 5, "num_embed": 2}),
    ("ConverseUSRNet", {**BLOCKS, "adapt_to_noise": True}),
    ("ConverseUSRNet", {**BLOCKS, "kernel_residual": True, "reuse_input": True, "smooth_prior": True}),
    *(("ConverseSRResNet", {**BLOCKS, "upscale": upscale}) for upscale in (2, 3, 4, 8)),
    ("ConverseSRResNet", {**BLOCKS, "num_in_ch": 1, "num_out_ch": 3, "upscale": 2}),
    *(
        ("UpsamplerSRResNet", {"num_feat": 4, "num_block": 2, "upscale": upscale, "upsampler": upsampler})
        for upscale in (2, 3, 4, 8)
        for upsampler in UPSAMPLERS
    ),
    ("DeconvolutionResNet", {"num_in_ch": 1, "num_feat": 4, "num_block": 3}),
    ("DnCNN", {"num_in_ch": 3, "num_feat": 4, "num_layer": 5, "batch_norm": True}),
    ("DnCNN", {"num_in_ch": 1, "num_feat": 4, "num_layer": 5, "batch_norm": False}),
]


def state_dict_of(network: str, options: dict) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return getattr(networks, network)(**options).state_dict()


@pytest.mark.parametrize(("network", "options"), NETWORKS, ids=str)
def test_network_and_options_are_told_by_keys_and_shapes(network, options):
    found = detect(state_dict_of(network, options))
    assert found.type == network
    choices = {"upscale": (2, 3)} if options.get("upsampler") == "nearest_conv" and options["upscale"] < 4 else {}
    assert found.choices == choices
    assert {name: value for name, value in options.items() if name not in choices}.items() <= found.options.items()
    rebuilt = getattr(networks, network)(**found.options, **{name: options[name] for name in choices})
    rebuilt.load_state_dict(found.state_dict)


@pytest.mark.parametrize("network", ["ConverseDnCNN", "ConverseNet", "ConverseSRResNet", "ConverseUSRNet"])
def test_depthwise_variants_are_told_from_converse2d_but_not_always_from_each_other(network):
    for spatial_op in ("conv", "conv_transpose"):
        found = detect(state_dict_of(network, {**BLOCKS, "spatial_op": spatial_op}))
        assert found.choices == {"spatial_op": ("conv", "conv_transpose")}
    even = detect(state_dict_of(network, {**BLOCKS, "kernel_size": 4, "spatial_op": "conv"}))
    assert even.options["spatial_op"] == "conv" and not even.choices


def test_what_shapes_do_not_tell_is_named():
    found = detect(state_dict_of("ConverseNet", BLOCKS))
    assert found.untold == ["num_iterations", "padding", "padding_mode", "eps", "prior", "fast_size"]


def test_kair_names_become_ours():
    ours = state_dict_of("DnCNN", {"num_feat": 4, "num_layer": 5, "batch_norm": False})
    found = detect({name.replace("body.", "model."): value for name, value in ours.items()})
    assert found.type == "DnCNN" and list(found.state_dict) == list(ours)


@pytest.mark.parametrize(
    "shapes",
    [
        {},
        {"weight": (3, 3)},
        {"m_head.0.weight": (64, 3, 3, 3), "m_tail.0.weight": (3, 64, 3, 3)},  # SCUNet
        {"body.0.weight": (64, 3, 3, 3), "body.0.bias": (64,), "body.1.weight": (64,), "body.2.weight": (64, 64, 3, 3)},
        {"conv_first.weight": (4, 3, 3, 3), "body.0.conv1.weight": (4, 4, 3, 3), "conv_last.weight": (3, 4, 3, 3)},
        {"model.0.weight": (64, 5, 3, 3), "model.0.bias": (64,), "model.2.weight": (4, 64, 3, 3)},  # FFDNet
        {"conv1.weight": (), "p.m_body.0.conv1.1.weight": (8, 4, 1, 1), "conv2.weight": (3, 4, 1, 1)},
        {"conv_first.weight": (4, 3, 3, 3), "body.0.conv1.weight": (1,), "conv_hr.weight": (1,)},
    ],
    ids=str,
)
def test_other_state_dicts_are_none_of_ours(shapes):
    assert detect({name: torch.zeros(shape) for name, shape in shapes.items()}) is None


@pytest.mark.parametrize(
    ("network", "options", "changes"),
    [
        ("ConverseNet", BLOCKS, {"conv1.weight": (9999, 3, 1, 1)}),
        ("ConverseDnCNN", BLOCKS, {"m_head.0.weight": (9999, 1, 1, 1)}),
        ("ConverseSRResNet", BLOCKS, {"conv_first.weight": (9999, 3, 1, 1)}),
        ("ConverseUSRNet", BLOCKS, {"convs.0.weight": (4, 9999, 1, 1)}),
        ("ConverseNet", BLOCKS, {f"p.m_body.{i}.conv1.3.weight": (1, 8, 3, 3) for i in range(2, 1000)}),
        ("DnCNN", {"num_feat": 4, "num_layer": 4}, {"body.0.weight": (9999, 1, 3, 3)}),
        ("UpsamplerSRResNet", {"num_feat": 4, "num_block": 1}, {"conv_first.weight": (9999, 3, 3, 3)}),
    ],
    ids=str,
)
def test_a_small_file_that_claims_a_large_network_is_not_believed(network, options, changes):
    tensors = state_dict_of(network, options)
    assert detect(tensors | {name: torch.zeros(shape) for name, shape in changes.items()}) is None
