"""``basicsr check``: what it finds, what it says a run will cost, and that it writes nothing."""

import re
from pathlib import Path

import pytest
import torch
from conftest import REPOSITORY
from tiny import MISSING, options, write_images, write_options

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.cli import main

from basicsr.archs import build_network
from basicsr.models.sr_model import SRModel

WITH_KERNELS = {
    "model_type": "RestorationModel",
    "scale": 2,
    "network_g": {"type": "ConverseUSRNet", "num_iterations": 1, "num_feat": 4, "num_block": 1},
    "datasets": {
        "train": {
            "name": "tiny",
            "type": "BlurDataset",
            "dataroot_gt": "data/HR",
            "io_backend": {"type": "disk"},
            "psf": "gaussian",
            "sigma": [1, 9],
            "gt_size": 32,
            "num_worker_per_gpu": 0,
            "batch_size_per_gpu": 2,
        }
    },
    "val": None,
}
ADVERSARIAL = {
    "model_type": "ESRGANModel",
    "network_d": {"type": "UNetDiscriminatorSN", "num_in_ch": 3, "num_feat": 4},
    "train__optim_d": {"type": "Adam", "lr": 1e-3},
    "train__net_d_init_iters": 1000,
    "train__gan_opt": {"type": "GANLoss", "gan_type": "vanilla", "real_label_val": 1.0, "fake_label_val": 0.0,
                       "loss_weight": 0.1},
}  # fmt: skip
PERCEPTUAL = {"type": "PerceptualLoss", "layer_weights": {"conv5_4": 1.0}}


@pytest.fixture(autouse=True)
def data(in_tmp):
    write_images(in_tmp / "data")


@pytest.fixture
def check(capsys):
    """Run the command in a folder that it must leave as it is; return its lines by name, or its error line."""

    def run(*arguments: str, code: int = 0, **changes) -> dict[str, str] | str:
        write_options(Path("tiny.yml"), **changes)
        before = sorted(Path().rglob("*"))
        assert main(["check", "-opt", "tiny.yml", *arguments]) == code
        assert sorted(Path().rglob("*")) == before
        printed = capsys.readouterr()
        if code:
            assert printed.err.count("\n") == 1
            return printed.err
        lines = [line for line in printed.out.splitlines() if not line.startswith("Name ")]  # of BasicSR's registry
        assert len(lines) <= 25 and all(re.match(r"\S.{14} \S", line) for line in lines)
        return {line[:15].rstrip(): line[16:] for line in lines}

    return run


def test_a_training_is_tried_and_its_cost_is_said(check):
    lines = check()
    assert lines["network_g"] == "ConverseSRResNet, 1,572 parameters"
    assert lines["training set"].startswith("tiny: 3 images, batch size 2")
    assert re.match(r"l_pix \d\.\d+e-\d+; losses, gradients and parameters are finite", lines["iteration 1"])
    assert re.match(r"\d+\.\d{3} s per iteration \(\d+\.\d{3} for data\), the mean of 1", lines["rate"])
    assert re.match(r"tiny_val: \d+\.\d{3} s for image\d, 1 of 3 images, psnr \d+\.\d{4}", lines["validation"])
    assert re.search(r"[\d,.]+ MiB of [\d,.]+ MiB", lines["memory"])
    assert re.match(r"0\.1 MiB each, 1 kept: 0\.2 MiB at most; [\d,.]+ MiB free in \.", lines["states"])
    assert re.match(
        r"about \d+:\d\d:\d\d: .* for 2 iterations, .* for 1 validations, .* for 1 states", lines["whole training"]
    )


def test_the_size_of_a_state_is_that_of_its_files(check):
    network = {**options()["network_g"], "num_feat": 64}
    said = check(network_g=network)["states"]
    assert main(["train", "-opt", "tiny.yml", "--no_report"]) == 0
    files = Path("experiments/tiny/models/net_g_2.pth"), Path("experiments/tiny/training_states/2.state")
    assert float(said.split()[0]) == pytest.approx(sum(file.stat().st_size for file in files) / 2**20, abs=0.1)


@pytest.mark.parametrize(("keep", "kept"), [({}, "5 kept"), ({"logger__keep_last": 2}, "2 kept")])
def test_states_are_counted(keep, kept, check):
    schedule = {**options()["train"]["scheduler"], "periods": [9]}
    lines = check(train__total_iter=9, train__scheduler=schedule, **keep)
    assert kept in lines["states"] and "for 5 states" in lines["whole training"]


def test_states_that_do_not_fit_on_the_disk_are_warned_of(check):
    schedule = {"type": "MultiStepLR", "milestones": [1]}
    lines = check(train__total_iter=10**10, logger__save_checkpoint_freq=1, train__scheduler=schedule)
    assert lines["warning"] == "the states do not fit in .; a lower logger:keep_last needs less"


def test_workers_load_the_data(check):
    lines = check(datasets__train__num_worker_per_gpu=1)
    assert "1 data-loader worker" in lines["training set"] and "1 data-loader worker" in lines["memory"]


def test_a_network_with_a_kernel_and_no_validation_set(check):
    lines = check(**WITH_KERNELS)
    assert lines["network_g"].startswith("ConverseUSRNet") and "l_pix" in lines["iteration 1"]
    assert "validation" not in lines and "validations" not in lines["whole training"]


def test_both_networks_of_a_gan_are_tried(check):
    lines = check(**ADVERSARIAL)
    assert lines["network_d"].startswith("UNetDiscriminatorSN")
    assert "l_g_gan" in lines["iteration 1"] and "l_d_real" in lines["iteration 1"]


def test_no_validation(check):
    lines = check(val=None)
    assert "validation" not in lines and "validations" not in lines["whole training"]


def test_a_loss_that_would_download_weights_is_left_out_and_said(check, monkeypatch, in_tmp):
    monkeypatch.setenv("TORCH_HOME", str(in_tmp / "empty"))
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", None)
    lines = check(train__pixel_opt=MISSING, train__perceptual_opt=PERCEPTUAL)
    assert lines["note"] == (
        "perceptual_opt is left out of these numbers: training would download its weights, vgg19-dcbb9e9d.pth"
    )


@pytest.mark.parametrize("what", ["the loss l_pix is nan", "a gradient is not finite", "a parameter is not finite"])
def test_what_is_not_finite_is_said(what, check, monkeypatch):
    real = SRModel.optimize_parameters

    def spoil(self, current_iter):
        real(self, current_iter)
        parameter = next(self.net_g.parameters())
        if "loss" in what:
            self.log_dict["l_pix"] = float("nan")
        else:
            (parameter.grad if "gradient" in what else parameter.data).view(-1)[0] = float("nan")

    monkeypatch.setattr(SRModel, "optimize_parameters", spoil)
    assert f"basicsr: error: {what} at iteration 1, with the files data/HR/image" in check(code=2)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA"), MemoryError(), RuntimeError("can't allocate memory")]
)
def test_too_little_memory_is_said(error, check, monkeypatch):
    def fail(self, current_iter):
        raise error

    monkeypatch.setattr(SRModel, "optimize_parameters", fail)
    assert "memory in iteration 1: lower batch_size_per_gpu" in check(code=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train__totl_iter": 3}, "train: no option 'totl_iter'; did you mean total_iter?"),
        ({"network_g__num_feat": -1}, "network_g: ConverseSRResNet: "),
        ({"datasets__train__dataroot_gt": "none"}, "datasets:train:dataroot_gt: no such file or folder: none"),
        ({"datasets__train__dataroot_gt": "datasets/demo/HR"}, "datasets/demo does not exist; basicsr data demo makes"),
        ({"train": MISSING}, "tiny.yml: train is missing"),
    ],
)
def test_wrong_input_is_one_line(changes, message, check):
    assert message in check(code=2, **changes)


@pytest.mark.parametrize("root", ["none", "tiny.yml"])
def test_a_missing_root_is_named(root, check):
    assert f"--root: no such folder: {root}" in check("--root", root, code=2)


def test_an_option_file_of_a_test(check):
    network = build_network({"type": "ConverseSRResNet", "num_feat": 4, "num_block": 1, "upscale": 4})
    torch.save(network.state_dict(), "weights.pth")
    lines = check(
        train=MISSING, datasets={"test_1": options()["datasets"]["val"]}, path={"pretrain_network_g": "weights.pth"}
    )
    assert "tiny_val: " in lines["validation"] and lines["whole test"].startswith("about ") and "memory" in lines
    assert "rate" not in lines and "states" not in lines


def test_a_training_file_as_a_test(check):
    assert "tiny.yml: this is an option file for training: basicsr train -opt tiny.yml" in check("--test", code=2)


def test_a_benchmark_file_is_left_to_its_command(capsys):
    file = REPOSITORY / "options/benchmark/smoke.yml"
    assert main(["check", "-opt", str(file)]) == 2
    assert f"{file}: this is an option file for a benchmark: basicsr benchmark -opt {file}" in capsys.readouterr().err


def test_options_can_be_forced(check):
    assert check("--force_yml", "network_g:num_feat=8")["network_g"] != check()["network_g"]
