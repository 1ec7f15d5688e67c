"""The real command in a subprocess: train, resume, test; help, doctor and the embedded data."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from conftest import REPOSITORY
from tiny import options, write_images, write_options

import converse_basicsr
from converse_basicsr import __version__
from converse_basicsr.cli import main

SCRIPT = Path(sys.executable).with_name("basicsr")


def run(*arguments, code=0, env=None) -> str:
    """Run the command and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-m", "converse_basicsr", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(env or {})},
    )
    assert result.returncode == code, result.stdout
    return result.stdout


@pytest.mark.usefixtures("needs_basicsr")
def test_train_resume_and_test(in_tmp):
    write_images(in_tmp / "data")
    write_options(in_tmp / "tiny.yml", logger__use_tb_logger=True, datasets__train__num_worker_per_gpu=1)
    printed = run("train", "-opt", "tiny.yml")
    assert "iteration 2 of 2: " in printed and "ETA 0:00:00" in printed
    assert printed.index("iteration 1 of 2") < 1500 and "Network" not in printed  # a short introduction
    assert re.search(r"^mean +\d+\.\d+ +\d+\.\d+", printed, re.MULTILINE)
    folder = in_tmp / "experiments/tiny"
    assert (folder / "comparison_tiny_val.png").is_file()
    checkpoint = torch.load(folder / "models/net_g_latest.pth", weights_only=True)
    assert list(checkpoint) == ["params", "params_ema", "network_options", "iter"]
    assert list((in_tmp / "tb_logger/tiny").iterdir())

    printed = run("train", "-opt", "tiny.yml", "--auto_resume", "--force_yml", "train:total_iter=4")
    assert "continuing from iteration 2 (experiments/tiny/training_states/2.state)" in printed
    assert "changed option, applied: train:total_iter: 2 -> 4" in printed
    assert "iteration 3 of 4" in printed and "iteration 1 of" not in printed
    assert (folder / "models/net_g_4.pth").is_file()
    assert [path.name for path in (in_tmp / "experiments").glob("[!.]*")] == ["tiny"]  # nothing archived

    write_options(
        in_tmp / "test.yml",
        name="tiny_test",
        datasets={"test_1": options()["datasets"]["val"]},
        path={"pretrain_network_g": "experiments/tiny/models/net_g_latest.pth", "param_key_g": "params_ema"},
        val={**options()["val"], "save_img": True, "suffix": "x4"},
    )
    printed = run("test", "-opt", "test.yml")
    assert "test of tiny_val: psnr" in printed and "param key [params_ema]" in printed
    saved = in_tmp / "results/tiny_test/visualization/tiny_val"
    assert sorted(path.name for path in saved.iterdir()) == [f"image{number}_x4.png" for number in range(3)]
    assert (in_tmp / "results/tiny_test/comparison_tiny_val.png").is_file()


@pytest.mark.usefixtures("needs_basicsr")
def test_published_weights_through_basicsr_loading(in_tmp, assets):
    write_images(in_tmp / "data")
    write_options(
        in_tmp / "test.yml",
        name="published",
        datasets={"test_1": options()["datasets"]["val"]},
        network_g={"type": "ConverseSRResNet"},
        path={"pretrain_network_g": str(assets / "weights/converse_srresnet.pth"), "param_key_g": None},
    )
    printed = run("test", "-opt", "test.yml")
    assert "converse_srresnet.pth, a bare state dict" in printed
    assert "ConverseSRResNet, 699,072 parameters" in printed


@pytest.mark.usefixtures("needs_basicsr")
def test_wrong_input_is_one_line_and_exit_code_2(in_tmp):
    printed = run("train", "-opt", "none.yml", code=2)
    assert printed == "basicsr: error: no such option file: none.yml; basicsr options list shows the shipped files\n"


def test_help_and_version():
    printed = run("--help")
    for command in ("train", "test", "data", "doctor"):
        assert command in printed
    assert run("--version") == f"converse_basicsr {__version__}\n"
    assert "--force_yml" in run("train", "--help")
    assert run("train", code=2).startswith("basicsr: error: no option file is given: -opt FILE")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed beside this interpreter")
@pytest.mark.parametrize("name", ["basicsr", "converse-basicsr"])
def test_console_commands_are_the_same_program(name):
    result = subprocess.run([SCRIPT.with_name(name), "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"converse_basicsr {__version__}\n"


@pytest.mark.usefixtures("needs_basicsr")
def test_doctor(in_tmp):
    printed = run("doctor")
    assert "no problems found" in printed
    assert f"converse_basicsr  {__version__} ({Path(converse_basicsr.__file__).parent})" in printed
    for word in ("python  ", "torch  ", "1.4.2 (", "patch checkpoint_levels  ", "CUDA  ", "CPU threads  ", "LMDB  "):
        assert word in printed


def test_doctor_names_missing_extras_and_weights(in_tmp, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_tmp / "cache"))
    monkeypatch.setenv("CONVERSE_ASSETS", "none")
    known = importlib.metadata.version

    def version(package: str) -> str:
        if package == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError
        return known(package)

    monkeypatch.setattr(importlib.metadata, "version", version)
    main(["doctor"])
    printed = capsys.readouterr().out
    assert re.search(r"^  onnx +lacks onnxruntime: pip install .+ \(for ONNX files\)$", printed, re.MULTILINE)
    assert re.search(r"^  converse_dncnn +not here: basicsr weights get converse_dncnn$", printed, re.MULTILINE)
    folders = f"., experiments/pretrained_models, {in_tmp}/cache/converse_basicsr/weights"
    assert re.search(rf"^  looked for in +{folders}$", printed, re.MULTILINE)


@pytest.mark.usefixtures("needs_basicsr")
def test_doctor_says_what_cannot_work(in_tmp):
    (in_tmp / "basicsr.py").write_text("raise ImportError('a stray file')")
    printed = run("doctor", code=1, env={"PYTHONPATH": f"{in_tmp}{os.pathsep}{REPOSITORY}"})
    assert "problem: BasicSR cannot be loaded: ImportError: a stray file" in printed


COMMANDS = ("train -opt x.yml", "test -opt x.yml", "benchmark --smoke", "reproduce", "data demo", "doctor")


def test_without_basicsr_each_command_says_so_in_one_line(in_tmp):
    calls = "; ".join(f"print(main({command.split()}))" for command in COMMANDS)
    code = f"import sys; sys.modules['basicsr'] = None; from converse_basicsr.cli import main; {calls}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.startswith("2\n" * 5 + "package\n")
    assert "Converse2D, the networks, weights and inference work" in result.stdout
    assert re.fullmatch("(basicsr: error: BasicSR is not installed: .+\n){5}", result.stderr)


@pytest.mark.usefixtures("needs_basicsr")
def test_data_demo(in_tmp):
    assert run("data", "demo", "--root", "photos").endswith("wrote photos\n")
    assert (in_tmp / "photos/train_HR_sub.lmdb/meta_info.txt").is_file()
    assert run("data", "demo", "--root", "photos") == "photos already exists; --force replaces it\n"


LOADER = {
    key: value
    for key, value in options()["datasets"]["train"].items()
    if key not in ("type", "name", "num_worker_per_gpu") and not key.startswith(("dataroot", "io_"))
}
GROUND_TRUTH = {"dataroot_gt": "data/HR", "io_backend": {"type": "disk"}}
FAMILIES = {  # data set, network, scale
    "denoising": ({"type": "GaussianDenoisingDataset", "color": "gray", "sigma": 25}, {"type": "ConverseDnCNN"}, 1),
    "sr": ({"type": "BicubicSRDataset"}, {"type": "ConverseSRResNet"}, 4),
    "blind": ({"type": "BlurDataset", "psf": "motion"}, {"type": "ConverseNet", "num_iterations": 2}, 1),
    "non_blind": ({"type": "BlurDataset", "psf": "gaussian"}, {"type": "ConverseUSRNet", "num_iterations": 2}, 2),
    "on_device": ({"type": "GroundTruthDataset"}, {"type": "ConverseUSRNet", "num_iterations": 2}, 2),
}


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_trains_resumes_and_tests(in_tmp, family):
    """Two iterations, two more, and the checkpoint's EMA weights through the test pipeline."""
    dataset, network, scale = FAMILIES[family]
    write_images(in_tmp / "data")
    validation = {"type": "BlurDataset", "psf": "gaussian"} if family == "on_device" else dataset
    changes = {
        "model_type": "RestorationModel",
        "scale": scale,
        "network_g": {"num_feat": 4, "num_block": 1, **network},
        "datasets__val": {"name": "tiny_val", **GROUND_TRUTH, **validation},
        "val__metrics__psnr": {"type": "calculate_psnr", "crop_border": 0},
    }
    train = {"datasets__train": {"name": "tiny", **GROUND_TRUTH, **LOADER, **dataset, "num_worker_per_gpu": 1}}
    file = write_options(in_tmp / "tiny.yml", **changes, **train)
    if family == "on_device":
        degradation = {"degradation": {"type": "Blur", "psf": ["gaussian", "motion"]}}
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **degradation}))
    assert "iteration 2 of 2" in run("train", "-opt", "tiny.yml")
    printed = run("train", "-opt", "tiny.yml", "--auto_resume", "--force_yml", "train:total_iter=4")
    assert "iteration 4 of 4" in printed and "iteration 1 of" not in printed
    levels = torch.load(in_tmp / "experiments/tiny/models/net_g_4.pth", weights_only=True)
    assert any(not torch.equal(levels["params"][name], levels["params_ema"][name]) for name in levels["params"])

    write_options(
        in_tmp / "test.yml",
        **changes,
        name="tiny_test",
        datasets={"test_1": changes["datasets__val"]},
        path={"pretrain_network_g": "experiments/tiny/models/net_g_4.pth", "param_key_g": "params_ema"},
        val={"save_img": True, "suffix": None, "metrics": {"psnr": changes["val__metrics__psnr"]}, "x8": scale == 1},
    )
    assert "test of tiny_val: psnr" in run("test", "-opt", "test.yml")
    assert len(list((in_tmp / "results/tiny_test/visualization/tiny_val").iterdir())) == 3


OWN_SCRIPT = """
import os
import converse_basicsr.archs
from basicsr.train import train_pipeline
train_pipeline(os.getcwd())
"""


@pytest.mark.usefixtures("needs_basicsr")
def test_basicsrs_own_script_trains_our_networks_and_its_states_are_continued(in_tmp):
    write_images(in_tmp / "data", count=4)
    no_cuda = {f"datasets__train__{name}": value for name, value in (("prefetch_mode", None), ("pin_memory", False))}
    write_options(in_tmp / "own.yml", name="own", num_gpu=0, **no_cuda)
    (in_tmp / "own.py").write_text(OWN_SCRIPT)
    done = subprocess.run([sys.executable, "own.py", "-opt", "own.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    state = "experiments/own/training_states/2.state"
    write_options(in_tmp / "tiny.yml", path__resume_state=state, train__total_iter=4, num_gpu=0)
    printed = run("train", "-opt", "tiny.yml")
    assert f"continuing from iteration 2 ({state})" in printed and "iteration 4 of 4" in printed
