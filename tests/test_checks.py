"""What must be built or read before a run: models, networks, losses, metrics, data sets and files."""

import cv2
import numpy as np
import pytest
import torch
from tiny import MISSING, options, write_images, write_options

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.checks import check_run
from converse_basicsr.checks.keys import keys_read
from converse_basicsr.checks.losses import check_measurable
from converse_basicsr.checks.models import check_model
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.options.reading import read_options

from basicsr.archs import build_network
from basicsr.utils.registry import DATASET_REGISTRY

TRAIN, VAL = "datasets__train", "datasets__val"
DEVICES = torch.cuda.device_count()


@pytest.fixture(autouse=True)
def data(in_tmp):
    write_images(in_tmp / "data")
    return in_tmp


def refusal(is_train: bool = True, **changes) -> str:
    with pytest.raises(UserError) as raised:
        check_run(options(**changes), is_train)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"val": None},
        {"degradation": None},
        {"model_type": "RestorationModel", "val__x8": True, "val__tile": 32},
        {f"{TRAIN}__batch_size_per_gpu": 4},  # more than the images
        {"train__perceptual_opt": {"type": "PerceptualLoss", "layer_weights": {"conv5_4": 1}}},
    ],
    ids=str,
)
def test_good_options_pass(changes):
    check_run(options(**changes), is_train=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network_g__type": "ConverseSRResnet"}, "network_g:type: no arch named 'ConverseSRResnet'; did you mean"),
        ({"network_g__type": "srresnet"}, "network_g:type: no arch named 'srresnet'; did you mean MSRResNet"),
        ({"model_type": "SRMode"}, "model_type: no model named 'SRMode'; did you mean SRModel"),
        ({f"{TRAIN}__type": "PairedDataset"}, "datasets:train:type: no dataset named 'PairedDataset'; did you mean Pa"),
        ({"train__pixel_opt__type": "L1"}, "train:pixel_opt:type: no loss named 'L1'; did you mean"),
        ({"val__metrics__psnr__type": "psnr"}, "val:metrics:psnr:type: no metric named 'psnr'; did you mean calc"),
        (
            {"network_g__num_blocks": 4},
            "network_g: ConverseSRResNet has no option 'num_blocks'; did you mean num_block? "
            "(num_in_ch, num_out_ch, num_feat, num_block, upscale",
        ),
        ({"network_g__upscale": 5}, "network_g: ConverseSRResNet: upscale must be one of 2, 3, 4, 8, got 5"),
        ({"network_g__num_feat": -3}, "network_g: ConverseSRResNet: "),
        ({"network_g__num_feat": 65536}, "network_g: ConverseSRResNet has "),
        ({"train__pixel_opt__weight": 1}, "train:pixel_opt: L1Loss has no option 'weight'; did you mean loss_weight?"),
        ({"train__pixel_opt": None}, "train: needs a loss: pixel_opt or perceptual_opt"),
        (
            {"train__perceptual_opt": {"type": "PerceptualLoss", "layer_weights": {"conv9_9": 1}}},
            "train:perceptual_opt:layer_weights: the VGG network has no layer 'conv9_9'; did you mean conv",
        ),
        ({"val__metrics__psnr__border": 4}, "val:metrics:psnr: calculate_psnr has no option 'border'; did you mean"),
        ({"val__metrics__psnr__crop_border": MISSING}, "calculate_psnr needs the option 'crop_border'"),
        ({"val__metrics__psnr__type": "calculate_psnr_pt"}, "calculate_psnr_pt takes tensors; write calculate_psnr"),
        ({f"{TRAIN}__use_hflipp": 1}, "datasets:train: PairedImageDataset has no option 'use_hflipp'; did you mean u"),
        ({f"{VAL}__sigma": 1}, "datasets:val: PairedImageDataset has no option 'sigma'"),
        ({f"{TRAIN}__meta_info": "x"}, "PairedImageDataset has no option 'meta_info'; did you mean meta_info_file?"),
        (
            {f"{VAL}__type": "SingleImageDataset"},
            "datasets:val: SingleImageDataset ignores the option 'dataroot_gt'; did you mean dataroot_lq?",
        ),
        ({f"{TRAIN}__dataroot_gt": "data/none"}, "datasets:train:dataroot_gt: no such file or folder: data/none"),
        ({f"{TRAIN}__io_backend": {"type": "lmdb"}}, "data/HR is not an LMDB"),
        ({f"{TRAIN}__gt_size": MISSING}, "datasets:train: PairedImageDataset needs the option 'gt_size'"),
        ({f"{TRAIN}__gt_size": 30}, "datasets:train:gt_size: 30 is not a multiple of scale (4)"),
        ({"network_g__upscale": 2}, "but the ground truth is (3, 32, 32); check scale, upscale and gt_size"),
        ({"network_g": {"type": "ConverseDnCNN"}}, "ConverseDnCNN cannot process the images of datasets:train, (3, 8"),
        ({"network_g": {"type": "ConverseUSRNet"}}, "ConverseUSRNet cannot process the images of datasets:train"),
        ({"num_gpu": 99}, f"num_gpu: got 99, but this machine has {DEVICES} CUDA devices; write auto"),
        ({"path__resume_state": "none.state"}, "path:resume_state: no such file: none.state"),
        ({"path__resume_state": "data"}, "path:resume_state: no such file: data"),
        ({"path__pretrain_network_g": "none.pth"}, "path:pretrain_network_g: no such checkpoint: none.pth"),
        ({"path__pretrain_network_g": "data"}, "path:pretrain_network_g: no such checkpoint: data"),
    ],
    ids=str,
)
def test_wrong_options_are_named(changes, message):
    assert message in refusal(**changes)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "spoil",
    [lambda v: v * float("nan"), lambda v: v + 1j, torch.Tensor.to_sparse, lambda v: v.to("meta")],
    ids=["nan", "complex", "sparse", "meta"],
)
def test_weights_that_are_not_finite_real_numbers_are_named(spoil, strict):
    state_dict = build_network(dict(options()["network_g"])).state_dict()
    state_dict["conv_first.bias"] = spoil(state_dict["conv_first.bias"])
    torch.save(state_dict, "net.pth")
    message = refusal(path={"pretrain_network_g": "net.pth", "strict_load_g": strict})
    assert "1 keys without finite real numbers: conv_first.bias" in message


SWIN = {"type": "SwinIR", "upscale": 4, "img_size": 8, "embed_dim": 8, "depths": [1], "num_heads": [2],
        "upsampler": "pixelshuffledirect"}  # fmt: skip


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (SWIN, "network_g:window_size: must be an integer of 1 or more, got None"),
        ({**SWIN, "window_size": 7}, "network_g: SwinIR cannot process the images of datasets:train, (3, 8, 8): "),
    ],
)
def test_swinir_needs_patches_of_whole_windows(network, message):
    assert message in refusal(model_type="SwinIRModel", network_g=network)


@pytest.mark.parametrize("model_type", ["SRGANModel", "ESRGANModel"])
@pytest.mark.parametrize(
    "changes",
    [
        {"network_d": {"type": "VGGStyleDiscriminator", "num_in_ch": 3, "num_feat": 4, "input_size": 128}},
        {"network_d": {"type": "UNetDiscriminatorSN", "num_in_ch": 1, "num_feat": 4}},
    ],
    ids=["size", "channels"],
)
def test_a_discriminator_that_does_not_fit_is_named(model_type, changes):
    changes |= {"train__gan_opt": {"type": "GANLoss", "gan_type": "vanilla", "loss_weight": 0.1}}
    changes |= {"train__optim_d": {"type": "Adam", "lr": 1e-4}}
    message = refusal(model_type=model_type, **changes)
    assert "network_d: " in message and "cannot process patches of datasets:train, (3, 32, 32)" in message


# --- what a model reads ----------------------------------------------------------------------------------------------

GAN = {"type": "GANLoss", "gan_type": "vanilla"}
ADAM = {"type": "Adam", "lr": 1e-4}
UNET = {"type": "UNetDiscriminatorSN", "num_in_ch": 3, "num_feat": 4}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degradation": {"type": "Blur"}}, "degradation: SRModel ignores this option; RestorationModel reads it"),
        ({"val__x8": True}, "val:x8: SRModel ignores this option; RestorationModel reads it"),
        ({"val__tile": 64}, "val:tile: SRModel ignores this option; RestorationModel reads it"),
        ({"val__flip_seq": True}, "val:flip_seq: SRModel ignores this option"),
        ({"train__gan_opt": GAN}, "train:gan_opt: SRModel ignores this option"),
        ({"train__optim_d": ADAM}, "train:optim_d: SRModel ignores this option"),
        ({"train__tsa_iter": 5}, "train:tsa_iter: SRModel ignores this option; EDVRModel reads it"),
        ({"network_d": UNET}, "network_d: SRModel ignores this option"),
        (
            {"resize_prob": [0.2, 0.7, 0.1]},
            "resize_prob: SRModel ignores this option; RealESRGANModel and RealESRNetModel read it",
        ),
        ({"model_type": "SRGANModel"}, "network_d: SRGANModel needs this option"),
        ({"model_type": "SRGANModel", "network_d": UNET}, "train:optim_d: SRGANModel needs this option"),
        (
            {"model_type": "SRGANModel", "network_d": UNET, "train__optim_d": ADAM},
            "train:gan_opt: SRGANModel needs this option",
        ),
        ({"model_type": "RealESRNetModel"}, "gaussian_noise_prob: RealESRNetModel needs this option"),
        ({"model_type": "RestorationModel", "val__tile": 16}, "val:tile_overlap: must be less than val:tile, got 16"),
        ({"model_type": "RestorationModel", "val__tile_overlap": 2}, "val:tile_overlap: must be less than val:tile"),
    ],
    ids=str,
)
def test_a_model_gets_what_it_reads_and_nothing_else(changes, message):
    assert message in refusal(**changes)


def test_a_gan_gets_what_it_reads():
    changes = {"model_type": "SRGANModel", "network_d": UNET, "train__optim_d": ADAM, "train__gan_opt": GAN}
    check_model(options(**changes), is_train=True)


@pytest.mark.skipif(DEVICES > 0, reason="needs a machine without CUDA")
def test_a_model_that_needs_cuda_is_named():
    changes = {"model_type": "RealESRNetModel", "high_order_degradation": False}
    assert "model_type: RealESRNetModel needs a CUDA device, and this machine has none" in refusal(**changes)


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("PairedImageDataset", {"dataroot_lq", "filename_tmpl", "use_rot", "color", "mean"}),
        ("VideoTestDUFDataset", {"cache_data", "use_duf_downsampling", "padding"}),  # two of them by its base
        ("RealESRGANDataset_basicsr", {"blur_kernel_size2", "final_sinc_prob", "meta_info"}),
    ],
)
def test_the_keys_of_a_class_are_found_in_its_source(name, some):
    found = keys_read(DATASET_REGISTRY.get(name), ("opt", "self.opt")).all
    assert some <= found and not {"db_paths", "lq", "client_keys"} & found


# --- metrics and images ----------------------------------------------------------------------------------------------

SINGLE = {"name": "s", "type": "SingleImageDataset", "dataroot_lq": "data/LR", "io_backend": {"type": "disk"}}


def test_a_set_without_ground_truth_cannot_be_measured():
    message = "val:metrics:psnr: calculate_psnr needs ground truth, and datasets:val has none; use a data set with"
    assert message in refusal(datasets__val=SINGLE)
    check_run(options(datasets__val=SINGLE, val__metrics=None), is_train=True)


@pytest.mark.parametrize(
    ("metric", "border", "least"),
    [("calculate_psnr", 16, 1), ("calculate_psnr_rounded_y", 40, 1), ("calculate_ssim", 11, 11)],
)
def test_a_border_that_leaves_nothing_is_named(metric, border, least):
    section = {"m": {"type": metric, "crop_border": border}}
    with pytest.raises(UserError, match=f"crop_border: {border} leaves less than {least} pixels of .*val, 32x80"):
        check_measurable(section, "datasets:val", {"gt": None}, (32, 80))
    check_measurable({"m": {"type": metric, "crop_border": 4}}, "datasets:val", {"gt": None}, (32, 80))
    check_measurable(section, "datasets:val", {"gt": None}, None)


def test_a_file_that_is_not_an_image_is_named(data):
    for path in (data / "data/LR").iterdir():
        path.write_text("not an image")
    assert "datasets:train: 3 of 3 files" in refusal()


def test_a_folder_without_its_counterpart_is_named(data):
    (data / "data/LR/image1.png").unlink()
    assert "datasets:train: data/LR has no input for image1.png of data/HR" in refusal()


def test_a_folder_without_images_is_named(data):
    (data / "empty").mkdir()
    assert "datasets:train: " in refusal(**{f"{TRAIN}__dataroot_gt": "empty", f"{TRAIN}__dataroot_lq": "empty"})


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_test_without_weights_is_refused():
    changes = {"datasets": {"test_1": options()["datasets"]["val"]}}
    assert refusal(False, **changes) == "path:pretrain_network_g is empty: a test needs weights"


@pytest.mark.parametrize(
    ("changes", "strict", "message"),
    [
        ({"num_block": 2}, True, "does not fit ConverseSRResNet: 14 keys missing: conv_body.1.conv1.0.weight, "),
        ({"num_feat": 6}, True, r"keys with another shape: conv_first.weight \(\(4, 3, 1, 1\), the network has \(6, 3"),
        ({"upscale": 2}, True, "keys unexpected: upconv2"),
        ({"num_block": 2}, False, None),
        ({}, True, None),
    ],
)
def test_a_checkpoint_that_does_not_fit(data, changes, strict, message):
    network = options()["network_g"]
    torch.save({"params": build_network(network).state_dict()}, data / "net.pth")
    opt = options(path__pretrain_network_g="net.pth", path__strict_load_g=strict)
    opt["network_g"].update(changes)
    if message is None:
        check_run(opt, is_train=True)
    else:
        with pytest.raises(UserError, match=f"path:pretrain_network_g: net.pth .*{message}"):
            check_run(opt, is_train=True)


class Thing:
    """Not a tensor: loading it would need code of the file."""


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", {"iter": 3, "optimizers": [], "schedulers": []}, {"params": {}}, [1, 2], {"params": Thing()}],
    ids=["empty", "nonsense", "state", "no weights", "list", "objects"],
)
def test_a_file_that_holds_no_weights_is_named(data, content):
    if isinstance(content, bytes):
        (data / "net.pth").write_bytes(content)
    else:
        torch.save(content, data / "net.pth")
    message = refusal(path__pretrain_network_g="net.pth")
    assert message.startswith("path:pretrain_network_g: ")
    assert "weights_only" not in message


def test_a_file_larger_than_the_limit_is_refused(data):
    with open(data / "net.pth", "wb") as file:
        file.truncate(3 << 30)  # takes no room on the disk
    message = refusal(path__pretrain_network_g="net.pth")
    assert message.endswith("net.pth has 3,221,225,472 bytes; the limit is 2,147,483,648")


# --- the whole -------------------------------------------------------------------------------------------------------


def test_malformed_options_that_no_check_covers_give_one_line(monkeypatch):
    monkeypatch.setattr("converse_basicsr.checks.run_options.check_losses", lambda *args: [][0])
    assert "invalid options: IndexError: list index out of range (--traceback shows where)" in refusal()


def test_the_command_answers_in_one_line_with_exit_code_2(data, capsys):
    write_options(data / "tiny.yml", network_g__type="ConverseSRNet")
    assert main(["train", "-opt", "tiny.yml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("basicsr: error: tiny.yml: network_g:type: no arch named 'ConverseSRNet'")
    assert error.count("\n") == 1
    assert not (data / "experiments").exists()


def test_a_forced_value_is_checked_like_one_of_the_file(data):
    path = write_options(data / "tiny.yml")
    opt = read_options(str(path), ["network_g:num_feat=x"])
    with pytest.raises(UserError, match="network_g: ConverseSRResNet: "):
        check_run(opt, is_train=True)


def test_gray_images_do_not_fit_a_network_for_colour(data):
    for file in (data / "data").rglob("*.png"):
        cv2.imwrite(str(file), np.zeros(cv2.imread(str(file)).shape[:2], np.uint8))
    check_run(options(), is_train=True)  # BasicSR's data sets decode to colour
