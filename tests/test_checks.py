"""Wrong input gives one line that names the file, key or value, and what would be right."""

import pytest
import torch
import yaml
from tiny import MISSING, options, write_images, write_options

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr.checks import check_run, read_options
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError

from basicsr.archs import build_network


@pytest.fixture(autouse=True)
def data(in_tmp):
    write_images(in_tmp / "data")
    return in_tmp


def test_good_options_pass(data):
    check_run(options(), is_train=True)


NETWORK = "network_g"
TRAIN = "datasets__train"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"network_g__type": "ConverseSRResnet"},
            "network_g:type: no arch named 'ConverseSRResnet'; did you mean",
        ),
        ({"network_g__type": "srresnet"}, "network_g:type: no arch named 'srresnet'; did you mean .*MSRResNet"),
        ({"model_type": "SRMode"}, "model_type: no model named 'SRMode'; did you mean SRModel"),
        (
            {f"{TRAIN}__type": "PairedDataset"},
            "datasets:train:type: no dataset .* did you mean Paired",
        ),
        ({"train__pixel_opt__type": "L1"}, "train:pixel_opt:type: no loss named 'L1'; did you mean .*L1Loss"),
        ({"val__metrics__psnr__type": "psnr"}, "val:metrics:psnr:type: no metric named 'psnr'; did you mean .*psnr"),
        (
            {"network_g__num_blocks": 4},
            "network_g: ConverseSRResNet has no option 'num_blocks'; did you mean",
        ),
        ({"network_g__num_blocks": 4}, r"\(num_in_ch, num_out_ch, num_feat, num_block, upscale"),
        ({"network_g__upscale": 5}, "network_g: ConverseSRResNet: upscale must be one of 2, 3, 4, 8, got 5"),
        ({"train__pixel_opt__weight": 1}, "train:pixel_opt: L1Loss has no option 'weight'"),
        ({"train__optim_g__lrate": 1}, "train:optim_g: Adam has no option 'lrate'"),
        ({"train__optim_g__type": "Adm"}, "train:optim_g:type: torch.optim has no optimiser 'Adm'"),
        ({"train__scheduler__type": "Cosine"}, "train:scheduler:type: must be one of MultiStepLR, .* got 'Cosine'"),
        (
            {"train__scheduler__periods": MISSING},
            "CosineAnnealingRestartLR needs the option 'periods'",
        ),
        (
            {"train__scheduler__periods": [1]},
            r"periods: the sum of \[1\] must be at least total_iter \(2\)",
        ),
        ({"val__metrics__psnr__border": 4}, "val:metrics:psnr: calculate_psnr has no option 'border'"),
        ({"val__metrics__psnr__crop_border": MISSING}, "calculate_psnr needs the option 'crop_border'"),
        ({f"{TRAIN}__dataroot_gt": "data/none"}, "datasets:train:dataroot_gt: no such file or folder: data/none"),
        ({f"{TRAIN}__io_backend": {"type": "lmdb"}}, "data/HR is not an LMDB .* write io_backend: type: disk"),
        ({f"{TRAIN}__gt_size": MISSING}, "datasets:train: PairedImageDataset needs the option 'gt_size'"),
        ({f"{TRAIN}__gt_size": 128}, r"datasets:train: 3 of 3 files are smaller than gt_size .128.: .*image"),
        ({f"{TRAIN}__batch_size_per_gpu": MISSING}, "the option file has no datasets:train:batch_size_per_gpu"),
        ({"datasets__train": MISSING}, "datasets: training needs a section train"),
        ({"datasets__test": {}}, "datasets:test: must be train, or start with val"),
        ({"datasets__train_1": {}}, "datasets:train_1: must be train, or start with val"),
        ({"datasets": 3}, "datasets must be a mapping .key: value., got 3"),
        ({"network_g": 3}, "network_g must be a mapping .key: value., got 3"),
        ({"network_d": None}, "network_d must be a mapping .key: value., got None"),
        ({"path": None}, "path must be a mapping .key: value., got None"),
        ({"train__scheduler": None}, "train:scheduler must be a mapping .key: value., got None"),
        ({"train__optim_g": 3}, "train:optim_g must be a mapping .key: value., got 3"),
        ({"train__pixel_opt": None}, "train: needs a loss: pixel_opt or perceptual_opt"),
        ({"train__pixel_opt__reduction": "most"}, "train:pixel_opt: L1Loss: Unsupported reduction mode: most"),
        ({"train__optim_g__lr": MISSING}, "the option file has no train:optim_g:lr"),
        ({"train__optim_g__lr": "fast"}, "train:optim_g:lr: must be a number above 0, got 'fast'"),
        ({"train__optim_g__type": "SGD"}, "this release of BasicSR supports only Adam, got 'SGD'"),
        ({"train__optim_g__type": "lr_scheduler"}, "torch.optim has no optimiser 'lr_scheduler'"),
        ({"train__total_iter": "many"}, "train:total_iter: must be an integer of 1 or more, got 'many'"),
        ({"train__scheduler__periods": 4}, "train:scheduler:periods: must be a list of numbers, got 4"),
        (
            {"train__scheduler__restart_weights": [1, 1]},
            r"weights: \[1, 1\] must have the same length as periods",
        ),
        ({"val__val_freq": 0}, "val:val_freq: must be an integer of 1 or more, got 0"),
        ({"val__metrics": [1]}, r"val:metrics must be a mapping .key: value., got \[1\]"),
        ({"val__metrics__psnr": None}, "val:metrics:psnr must be a mapping .key: value., got None"),
        ({"name": ""}, "name: must be a string, got ''"),
        ({"name": 2024}, "name: must be a string, got 2024"),
        ({"model_type": ["SRModel"]}, "model_type: no model named"),
        (
            {f"{TRAIN}__io_backend": "disk"},
            r"io_backend: must be a mapping, for example io_backend: \{type: disk\}",
        ),
        ({f"{TRAIN}__prefetch_mode": "gpu"}, "datasets:train:prefetch_mode: must be cuda, cpu or ~, got 'gpu'"),
        ({f"{TRAIN}__gt_size": "96"}, "datasets:train:gt_size: must be an integer of 1 or more, got '96'"),
        ({f"{TRAIN}__gt_size": 30}, "datasets:train:gt_size: 30 is not a multiple of scale .4."),
        ({"network_g__upscale": 2}, r"makes \(3, 16, 16\) from .* but the ground truth is \(3, 32, 32\); check scale"),
        (
            {"network_g": {"type": "ConverseDnCNN"}},
            r"ConverseDnCNN cannot process the images of .*\(3, 8, 8\)",
        ),
        ({"network_g": {"type": "ConverseUSRNet"}}, "ConverseUSRNet cannot process the images .*needs the blur kernel"),
        ({"network_g__num_feat": -3}, "network_g: ConverseSRResNet: "),
        ({"num_gpu": 99}, "num_gpu: got 99, but this machine has .* CUDA devices; write auto"),
        ({"logger__print_freq": MISSING}, "the option file has no logger:print_freq"),
        ({"network_g": MISSING}, "the option file has no network_g"),
        ({"train": [1]}, r"train must be a mapping .key: value., got \[1\]"),
        ({"path__resume_state": "none.state"}, "path:resume_state: no such file: none.state"),
        ({"path__pretrain_network_g": "none.pth"}, "path:pretrain_network_g: no such checkpoint: none.pth"),
    ],
)
def test_wrong_options_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        check_run(options(**changes), is_train=True)


def test_malformed_options_that_no_check_covers_give_one_line(monkeypatch):
    monkeypatch.setattr("converse_basicsr.checks.run_options.check_training", lambda *args: [][0])
    with pytest.raises(UserError, match="invalid options: IndexError: list index out of range"):
        check_run(options(), is_train=True)


def test_home_is_expanded_where_basicsr_does(data, monkeypatch):
    monkeypatch.setenv("HOME", str(data))
    write_options(data / "tiny.yml", datasets__train__dataroot_gt="~/data/HR", path__pretrain_network_g="~/net.pth")
    opt = read_options("tiny.yml")
    assert opt["datasets"]["train"]["dataroot_gt"] == f"{data}/data/HR"
    assert opt["path"]["pretrain_network_g"] == f"{data}/net.pth"


def test_a_file_that_is_not_utf_8_is_named(data):
    (data / "bad.yml").write_bytes("name: größe".encode("latin-1"))
    with pytest.raises(UserError, match="bad.yml: not valid YAML: .*utf-8"):
        read_options("bad.yml")


def test_fewer_images_than_a_batch_are_allowed():
    check_run(options(datasets__train__batch_size_per_gpu=4), is_train=True)


def test_a_folder_without_its_counterpart_is_named(data):
    (data / "data/LR/image1.png").unlink()
    with pytest.raises(UserError, match="datasets:train: data/LR has no input for image1.png of data/HR"):
        check_run(options(), is_train=True)


def test_a_file_that_is_not_an_image_is_named(data):
    for path in (data / "data/LR").iterdir():
        path.write_text("not an image")
    with pytest.raises(UserError, match=r"datasets:train: 3 of 3 files .* data/LR/image0.png \(not an image"):
        check_run(options(), is_train=True)


def test_a_test_without_weights_is_refused():
    opt = options(datasets={"test_1": options()["datasets"]["val"]})
    with pytest.raises(UserError, match="path:pretrain_network_g is empty: a test needs weights"):
        check_run(opt, is_train=False)


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3\n", "bad.yml, line 2: not valid YAML: "),
        ("a: 1\n  b: 2\n", "bad.yml, line 2: not valid YAML: mapping values are not allowed"),
        ("- 1\n", "bad.yml: an option file must be a mapping"),
        (
            "train:\n  eta_min: 1e-7\n",
            "line 2: train:eta_min: YAML reads 1e-7 as a string; write !!float 1e-7",
        ),
        ("train:\n  betas: [0.9, 1e-1]\n", "bad.yml, line 2: train:betas: YAML reads 1e-1 as a string"),
        ("a: 1\nb: 2\na: 3\n", "bad.yml, line 3: a is given twice"),
        ("a: 1\non: 2\n", "bad.yml, line 2: YAML does not read the key on as a string; put it in quotes"),
        ("a: !!python/name:os.system\n", "bad.yml, line 1: not valid YAML"),
    ],
)
def test_malformed_files_are_named_with_the_line(data, text, message):
    (data / "bad.yml").write_text(text)
    with pytest.raises(UserError, match=message):
        read_options("bad.yml")


@pytest.mark.parametrize("text", ["a: !!float 1e-7\n", "a: 1.0e-7\n", "a: '1e-7'\n", "a: 1e-7x\n"])
def test_numbers_and_quoted_text_are_fine(data, text):
    (data / "good.yml").write_text(text)
    assert "a" in read_options("good.yml")


def test_a_missing_file_is_named_with_its_neighbours(data):
    write_options(data / "mine.yml")
    with pytest.raises(UserError, match=r"no such option file: ours.yml \(in .: mine.yml\)"):
        read_options("ours.yml")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("name", "--force_yml name: must be key:sub=value"),
        ("trian:total_iter=3", "--force_yml trian:total_iter=3: the option file has no section trian"),
        ("train:total_iter:x=3", "the option file has no section train:total_iter"),
        ("train:optim_g:lr=1e-4", "BasicSR would read 1e-4 as a string; write lr=!!float1e-4"),
        ("train:scheduler:periods=[1,", r"\[1, is not a valid value"),
        ("train:scheduler:periods=[1/0]", r"\[1/0\] is not a valid value"),
    ],
)
def test_forced_values_that_do_not_fit_are_named(data, entry, message):
    path = write_options(data / "tiny.yml")
    with pytest.raises(UserError, match=message):
        read_options(str(path), [entry])


def test_forced_values_are_applied(data):
    path = write_options(data / "tiny.yml")
    opt = read_options(str(path), ["name=other", "train:optim_g:lr=!!float1e-4", "datasets:train:gt_size=16"])
    assert (opt["name"], opt["train"]["optim_g"]["lr"], opt["datasets"]["train"]["gt_size"]) == ("other", 1e-4, 16)


def test_the_command_answers_in_one_line_with_exit_code_2(data, capsys):
    write_options(data / "tiny.yml", network_g__type="ConverseSRNet")
    assert main(["train", "-opt", "tiny.yml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("basicsr: error: network_g:type: no arch named 'ConverseSRNet'")
    assert error.count("\n") == 1
    assert not (data / "experiments").exists()


def test_the_command_shows_the_traceback_when_asked(data, capsys):
    assert main(["train", "-opt", "none.yml", "--traceback"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_options_are_plain_yaml(data):
    path = write_options(data / "tiny.yml")
    assert read_options(str(path)) == yaml.safe_load(path.read_text())
