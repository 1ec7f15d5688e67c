"""RestorationModel: kernels, degradation on the device, tiles and x8, EMA of statistics, checks."""

import pytest
import torch
from tiny import options, write_images
from torch import nn

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.checks import check_run
from converse_basicsr.errors import UserError
from converse_basicsr.inference import restore_tiled, restore_x8

from basicsr.models import build_model

USRNET = {"type": "ConverseUSRNet", "num_feat": 4, "num_block": 1, "num_iterations": 2, "num_embed": 2, "psf_size": 5}


def opt_for(dataset: dict, network: dict, scale: int = 1, **changes) -> dict:
    """Options for a tiny run of RestorationModel on data made from ground truth."""
    opt = options(model_type="RestorationModel", scale=scale, network_g=network, **changes)
    for section in opt["datasets"].values():
        del section["dataroot_lq"]
        section.update(dataset)
    return opt


def built(opt: dict, is_train: bool = True):
    return build_model({**opt, "is_train": is_train, "dist": False, "rank": 0, "world_size": 1, "num_gpu": 0})


def batch(scale: int = 1, kernel: bool = True, n: int = 2) -> dict:
    generator = torch.Generator().manual_seed(0)
    sample = {
        name: torch.rand(n, 3, side, side, generator=generator) for name, side in (("gt", 24), ("lq", 24 // scale))
    }
    psf = torch.rand(n, 1, 5, 5, generator=generator)
    return {**sample, **({"kernel": psf / psf.sum((-2, -1), keepdim=True)} if kernel else {}), "lq_path": ["image"]}


BLUR = {"type": "BlurDataset", "psf": "motion", "psf_size": 5}
NOISE = {"type": "GaussianDenoisingDataset", "sigma": 25}
NETWORK = {"type": "ConverseNet", "num_feat": 4, "num_block": 1, "num_iterations": 1}


@pytest.mark.parametrize("scale", [1, 2])
def test_kernel_and_scale_reach_the_network(in_tmp, scale):
    write_images(in_tmp / "data")
    model = built(opt_for(BLUR, USRNET, scale))
    data = batch(scale)
    model.feed_data(data)
    model.optimize_parameters(1)
    assert model.output.shape == data["gt"].shape
    assert all(parameter.grad is not None for parameter in model.net_g.parameters())
    model.test()
    with torch.no_grad():
        expected = model.net_g_ema(data["lq"], data["kernel"], scale)
    assert torch.equal(model.output, expected)
    model.feed_data({**data, "kernel": data["kernel"].flip(-1)})
    model.test()
    assert not torch.equal(model.output, expected)


def test_a_conditioned_network_needs_a_kernel():
    model = built(opt_for(BLUR, USRNET))
    model.feed_data(batch(kernel=False))
    with pytest.raises(UserError, match="this network needs the blur kernel"):
        model.test()


def test_an_image_that_the_network_does_not_take_is_named():
    model = built(opt_for(BLUR, NETWORK))
    model.feed_data({"lq": torch.rand(1, 3, 1, 9), "lq_path": ["set/small.png"]})
    with pytest.raises(UserError, match=r"set/small.png: an input of 1x9 is too small for circular padding of 2"):
        model.test()


def test_a_blind_network_is_given_none():
    model = built(opt_for(BLUR, NETWORK))
    model.feed_data(batch())
    model.test()
    with torch.no_grad():
        assert torch.equal(model.output, model.net_g_ema(model.lq))


@pytest.mark.parametrize(
    ("degradation", "network", "scale"),
    [
        ({"type": "GaussianNoise", "sigma": [0, 50]}, NETWORK, 1),
        ({"type": "Blur", "psf": "gaussian", "psf_size": 5}, USRNET, 2),
        ({"type": "BicubicReduction"}, {"type": "ConverseSRResNet", "num_feat": 4, "num_block": 1, "upscale": 4}, 4),
    ],
)
def test_ground_truth_is_degraded_on_the_device(degradation, network, scale):
    opt = opt_for({"type": "GroundTruthDataset"}, network, scale)
    model = built({**opt, "degradation": degradation})
    gt = batch()["gt"]
    model.feed_data({"gt": gt, "gt_path": ["image"] * 2, "sample_seed": torch.tensor([3, 4])})
    expected = model.degradation.degrade_batch(gt, [3, 4])
    assert torch.equal(model.lq, expected["lq"]) and model.lq.shape[-1] == 24 // scale
    assert model.kernel is None or torch.equal(model.kernel, expected["kernel"])
    model.optimize_parameters(1)
    assert model.output.shape == gt.shape and not model.lq.requires_grad
    model.feed_data({"gt": gt})  # a training script other than ours has no seeds
    assert torch.equal(model.lq, expected["lq"]) == (degradation["type"] == "BicubicReduction")


@pytest.mark.parametrize("network", [NETWORK, USRNET])
def test_tiles_and_x8(network):
    opt = opt_for(BLUR, network)
    data = batch(n=1)
    outputs = {}
    for name, val in {"whole": {}, "tile": {"tile": 16, "tile_overlap": 8}, "x8": {"x8": True}}.items():
        torch.manual_seed(0)
        model = built({**opt, "val": {**opt["val"], **val}})
        model.feed_data(data)
        model.test()
        outputs[name] = model.output
    run = model.net_g_ema if network is NETWORK else lambda lq, kernel=data["kernel"]: model.net_g_ema(lq, kernel, 1)
    kernel = None if network is NETWORK else data["kernel"]
    assert torch.equal(outputs["tile"], restore_tiled(lambda lq: run(lq), data["lq"], 1, 16, 8))
    assert torch.equal(outputs["x8"], restore_x8(run, data["lq"], kernel))
    assert not torch.equal(outputs["tile"], outputs["whole"]) and not torch.equal(outputs["x8"], outputs["whole"])


def test_ema_follows_batch_statistics():
    model = built(opt_for({"type": "GaussianDenoisingDataset", "sigma": 25}, {"type": "DnCNN", "num_in_ch": 3}))
    model.feed_data(batch(kernel=False))
    model.optimize_parameters(1)
    norms = [
        [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        for network in (model.net_g, model.net_g_ema)
    ]
    assert norms[0] and all(
        torch.equal(mine.running_mean, its.running_mean) and mine.running_mean.abs().sum() > 0
        for mine, its in zip(*norms, strict=True)
    )


def test_loss_is_that_of_srmodel(monkeypatch):
    """Same weights, same batch: one step of either model gives the same parameters."""
    parameters = []
    for model_type in ("SRModel", "RestorationModel"):
        opt = opt_for(BLUR, NETWORK)
        torch.manual_seed(0)
        model = built({**opt, "model_type": model_type})
        model.feed_data(batch())
        model.optimize_parameters(1)
        parameters.append(nn.utils.parameters_to_vector(model.net_g.parameters()))
        assert list(model.get_current_log()) == ["l_pix"]
    assert torch.equal(*parameters)


SWIN = {
    "type": "SwinIR",
    "upscale": 4,
    "img_size": 8,
    "window_size": 8,
    "embed_dim": 4,
    "depths": [2],
    "num_heads": [2],
}
SWIN |= {"mlp_ratio": 1, "upsampler": "pixelshuffledirect"}


def restored(model_type: str, lq: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(0)
    model = built(options(network_g=SWIN, model_type=model_type), is_train=False)
    model.feed_data({"lq": lq})
    model.test()
    return model.output


@pytest.mark.parametrize("size", [(16, 8), (13, 16), (9, 5)])
def test_images_are_padded_to_the_window_as_in_swinir_model(size):
    lq = torch.rand(1, 3, *size)
    assert torch.equal(restored("RestorationModel", lq), restored("SwinIRModel", lq))


def test_an_image_smaller_than_a_window_is_restored():
    assert restored("RestorationModel", torch.rand(1, 3, 3, 1)).shape == (1, 3, 12, 4)


# --- checks before a run ---


@pytest.mark.parametrize("network", [NETWORK, USRNET])
def test_good_options_pass(in_tmp, network):
    write_images(in_tmp / "data")
    check_run(opt_for(BLUR, network), is_train=True)


@pytest.mark.parametrize(
    ("dataset", "network", "changes", "message"),
    [
        (
            {"type": "GaussianDenoisingDataset", "sigma": 5},
            USRNET,
            {},
            "cannot process the images .*needs the blur kernel",
        ),
        ({**BLUR, "psf_size": 7}, USRNET, {}, "kernel must be .*5, 5.* for this network"),
        ({"type": "GroundTruthDataset"}, NETWORK, {}, "datasets:train: provides only ground truth; add a section"),
        (BLUR, NETWORK, {"degradation": {"type": "Nois"}}, "degradation:type: must be GaussianNoise, Bicubic"),
        (
            BLUR,
            NETWORK,
            {"degradation": {"type": "GaussianNoise", "sigma": 5}},
            "datasets:train already provides an input",
        ),
        (
            BLUR,
            NETWORK,
            {"model_type": "SRModel", "degradation": {"type": "Blur"}},
            "degradation: SRModel ignores this option",
        ),
        (BLUR, NETWORK, {"model_type": "SRModel", "val__x8": True}, "val:x8: SRModel ignores this option"),
        (BLUR, USRNET, {"val__x8": True, "scale": 2}, "val:x8: not possible for a network with a blur kernel"),
        (BLUR, {**NETWORK, "window_size": 0}, {}, "network_g:window_size: must be an integer of 1 or more, got 0"),
        (BLUR, NETWORK, {"val__x8": "yes"}, "val:x8: must be true or false, got 'yes'"),
        (BLUR, NETWORK, {"val__tile": 0}, "val:tile: must be an integer of 1 or more"),
        (BLUR, NETWORK, {"val__tile": 8, "val__tile_overlap": 8}, "val:tile_overlap: must be less than val:tile"),
        (BLUR, NETWORK, {"val__tile": 16}, "val:tile_overlap: must be less than val:tile, got 16"),
        (
            {"type": "GroundTruthDataset"},
            NETWORK,
            {"degradation": {"type": "GaussianNoise", "sigma": 5}},
            "datasets:val: provides only ground truth; for validation use",
        ),
        (BLUR, NETWORK, {"train__pixel_opt": None}, "train: needs a loss"),
    ],
)
def test_wrong_options_are_named(in_tmp, dataset, network, changes, message):
    write_images(in_tmp / "data")
    opt = opt_for(dataset, network)
    for place, value in changes.items():
        *branch, leaf = place.split("__")
        section = opt
        for key in branch:
            section = section[key]
        section[leaf] = value
    with pytest.raises(UserError, match=message):
        check_run(opt, is_train=True)
