"""`basicsr reproduce`: the published numbers on small crops and per image, resuming, missing files."""

import json
import logging
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.reproduce import measurement
from converse_basicsr.reproduce.places import Places
from converse_basicsr.reproduce.protocols import PROTOCOLS, choose
from converse_basicsr.reproduce.reproduction import reproduce

from basicsr.archs import build_network


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Three small images, untrained weights and blur kernels; the networks shrunk to a block."""
    images = tmp_path / "data/testsets/Set5"
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(3):
        cv2.imwrite(str(images / f"{number}.png"), rng.integers(0, 256, (40, 48, 3), np.uint8))
    (tmp_path / "data/blur_kernels").mkdir()
    for number in (1, 2):
        np.save(tmp_path / f"data/blur_kernels/kernel_{number}.npy", np.full((7, 7), number))
    sections = {
        "ConverseSRResNet": {"num_feat": 4, "num_block": 1},
        "ConverseNet": {"num_feat": 4, "num_block": 1, "num_iterations": 1},
    }
    files = {protocol.network: protocol.weights for protocol in PROTOCOLS}
    (tmp_path / "weights").mkdir()
    for network, section in sections.items():
        torch.manual_seed(0)
        state_dict = build_network({"type": network, **section}).state_dict()
        torch.save(state_dict, tmp_path / "weights" / files[network])
    build_model = measurement.build_model

    def build_small(opt):
        network = {**opt["network_g"], **sections[opt["network_g"]["type"]]}
        return build_model({**opt, "num_gpu": 0, "network_g": network})

    monkeypatch.setattr(measurement, "build_model", build_small)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder, *arguments, code=0):
    assert main(["reproduce", "--weights", "weights", "--data", "data", *arguments]) == code
    return json.loads((folder / "results/reproduce/results.json").read_text()) if code == 0 else None


def test_tables_pictures_and_what_is_left_out(small, capsys):
    results = run(small, "sr", "deblurring")
    assert sorted(results) == [
        "deblurring_conversenet_set5_psf1",
        "deblurring_conversenet_set5_psf2",
        "sr_conversesrresnet_set5",
    ]
    assert all(list(row["images"]) == ["0.png", "1.png", "2.png"] for row in results.values())
    printed = capsys.readouterr().out
    mean = np.mean([metrics["psnr"] for metrics in results["sr_conversesrresnet_set5"]["images"].values()])
    assert f"| sr | ConverseSRResNet | Set5 | - | 3 | {mean:.4f} | 32.25 | {mean - 32.25:+.2f} |" in printed
    assert re.search(r"^  set14 +sr +links in BasicSR's docs", printed, re.MULTILINE)
    assert re.search(r"^  converse_usrnet.pth +deblurring$", printed, re.MULTILINE)
    assert "next: basicsr weights get converse_usrnet --dir weights" in printed
    assert re.search(r"^  blur_kernels/kernel_3.npy +deblurring", printed, re.MULTILINE)
    assert "blur_kernels/kernel_1.npy" not in printed and "  set5" not in printed
    assert (small / "results/reproduce/results.md").read_text().count("| 2.png |") == 3
    assert (small / "results/reproduce/sr_conversesrresnet_set5/1.png").is_file()


def test_the_log_is_as_loud_as_before(small):
    logger = logging.getLogger("basicsr")
    level = logger.level
    run(small, "sr", "--limit", "1")
    assert logger.level == level != logging.WARNING


def test_a_broken_off_run_goes_on(small, monkeypatch, capsys):
    measure, calls = measurement.measure, []

    def measure_two(*arguments):
        calls.append(arguments[1]["lq_path"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(measurement, "measure", measure_two)
    run(small, "sr", code=130)
    assert "finished images are saved" in capsys.readouterr().err
    results = run(small, "sr")
    assert len(calls) == 4 and len(results["sr_conversesrresnet_set5"]["images"]) == 3
    run(small, "sr")
    assert len(calls) == 4  # all there
    run(small, "sr", "--limit", "1", "--force")
    assert len(calls) == 5
    assert "| 1 of 3 |" in capsys.readouterr().out


def test_other_weights_or_ways_are_measured_anew(small):
    first = run(small, "sr", "--limit", "1")["sr_conversesrresnet_set5"]
    path = small / "weights/converse_srresnet.pth"
    torch.save({name: value + 0.1 for name, value in torch.load(path).items()}, path)
    second = run(small, "sr", "--limit", "1")["sr_conversesrresnet_set5"]
    assert first["settings"] != second["settings"] and first["images"] != second["images"]
    run(small, "sr", "--limit", "1", "--x8", "--tile", "8", "--tile_overlap", "2")
    folder = small / "results/reproduce/tile8_tile_overlap2_x8True"
    ensemble = json.loads((folder / "results.json").read_text())
    assert ensemble["sr_conversesrresnet_set5"]["images"] != second["images"]
    assert (
        "tiles of 8 that overlap by 2, x8"
        in (small / "results/reproduce/tile8_tile_overlap2_x8True/results.md").read_text()
    )


def test_only_an_image_that_changed_is_measured_anew(small):
    first = run(small, "sr")["sr_conversesrresnet_set5"]["images"]
    image = small / "data/testsets/Set5/1.png"
    image.write_bytes((small / "data/testsets/Set5/2.png").read_bytes())
    content = json.loads((small / "results/reproduce/results.json").read_text())
    content["sr_conversesrresnet_set5"]["images"]["2.png"]["psnr"] = 7.0  # left as it is: not measured again
    (small / "results/reproduce/results.json").write_text(json.dumps(content))
    run(small, "sr", "--limit", "1")
    second = run(small, "sr")["sr_conversesrresnet_set5"]["images"]
    assert second["0.png"] == first["0.png"]
    assert second["1.png"] == first["2.png"]
    assert second["2.png"]["psnr"] == 7.0


def test_a_changed_kernel_is_measured_again(small):
    name = "deblurring_conversenet_set5_psf1"
    first = run(small, "deblurring", "--limit", "1")[name]["images"]["0.png"]
    np.save(small / "data/blur_kernels/kernel_1.npy", np.eye(7))
    second = run(small, "deblurring", "--limit", "1")[name]["images"]["0.png"]
    assert first["sha256"] == second["sha256"] and first["psnr"] != second["psnr"]


@pytest.mark.parametrize(
    ("folders", "chosen"),
    [
        (["."], "."),
        (["GTmod12", "LRbicx2", "original"], "original"),
        (["GTmod12", "LRbicx2"], "GTmod12"),
        (["HR"], "HR"),
        (["LRbicx2"], None),
        ([".", "LRbicx2"], None),
        ([".", "original"], None),
        (["original", "original/LRbicx2"], None),
        (["image_SRF_4", "image_SRF_2"], None),
    ],
)
def test_ground_truth_is_one_folder(tmp_path, folders, chosen):
    for folder in folders:
        (tmp_path / "testsets/Set5" / folder).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "testsets/Set5" / folder / "baby.png"), np.zeros((8, 8, 3), np.uint8))
    places, protocol = Places(None, (tmp_path,)), choose(["sr"], ["set5"])[0]
    if chosen:
        assert places.images(protocol) == tmp_path / "testsets/Set5" / chosen
    else:
        with pytest.raises(UserError, match="testsets/Set5: cannot tell which images are the ground truth, found"):
            places.images(protocol)


def test_a_set_that_does_not_fit_is_named_and_the_rest_runs(small, capsys):
    folder = small / "data/set14"
    folder.mkdir()
    for name in ("a.png", "a.bmp"):
        cv2.imwrite(str(folder / name), np.zeros((40, 48, 3), np.uint8))
    assert list(run(small, "sr")) == ["sr_conversesrresnet_set5"]
    left_out = r"left out: sr_\w+_set14: data/set14/a.bmp and data/set14/a.png have the same name .a. in validation"
    assert re.search(left_out, capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["superres"], "unknown task 'superres'; must be one of denoising, sr, deblurring"),
        (["sr", "--sets", "set6"], "unknown set 'set6'; must be one of set5,"),
        (["denoising", "--sets", "set5"], "denoising has no protocol on set5"),
        (["--weights", "none"], "--weights: no such folder: none"),
        (["denoising"], "nothing can be measured"),
        (["sr", "--tile", "8"], "--tile_overlap: must be less than --tile, 8, and 0 or more, got 16"),
        (["sr", "--tile", "0"], "--tile: must be 1 or more, got 0"),
        (["sr", "--tile_overlap", "8"], "--tile_overlap: has no effect without --tile"),
        (["sr", "--limit", "0"], "--limit: must be 1 or more"),
    ],
)
def test_wrong_arguments_are_named(small, capsys, arguments, message):
    run(small, *arguments, code=2)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("content", "reason"), [("{", "cannot be read: "), ("[1]", "does not hold results of")])
def test_damaged_results_are_named(small, capsys, content, reason):
    file = small / "results/reproduce/results.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    run(small, "sr", code=2)
    assert f"error: results/reproduce/results.json {reason}" in capsys.readouterr().err
    run(small, "sr", "--limit", "1", "--force")


def test_every_row_of_the_paper_is_there():
    published = [protocol for protocol in PROTOCOLS if protocol.published is not None]
    assert len(published) == 2 + 4 + 20 and len({protocol.name for protocol in PROTOCOLS}) == len(PROTOCOLS)
    assert {protocol.task for protocol in choose(["sr"], None)} == {"sr"}
    assert [protocol.name for protocol in choose([], ["Set12"])] == ["denoising_conversedncnn_set12"]
    assert [protocol.name for protocol in choose(["SR"], ["SET5"])] == ["sr_conversesrresnet_set5"]


# --- with the published weights: one image each, as measured with the published code's protocol ---

MEASURED = {  # image, PSNR, SSIM
    "denoising_conversedncnn_set12": ("01.png", 30.4418, 0.8806),
    "sr_conversesrresnet_set5": ("butterfly_GT.bmp", 28.6710, 0.9264),
}


@pytest.mark.parametrize("name", MEASURED)
def test_published_numbers(assets, tmp_path, name):
    protocol = next(protocol for protocol in PROTOCOLS if protocol.name == name)
    image, psnr, ssim = MEASURED[name]
    (tmp_path / protocol.test_set).mkdir()
    (tmp_path / protocol.test_set / image).symlink_to(assets / "testsets" / protocol.test_set / image)
    places = Places(assets / "weights", (tmp_path,))
    reproduce([protocol], places, tmp_path / "out")
    measured = json.loads((tmp_path / "out/results.json").read_text())[name]["images"][image]
    assert abs(measured["psnr"] - psnr) < 0.005 and abs(measured["ssim"] - ssim) < 0.0002


@pytest.mark.parametrize(("network", "psnr"), [("converseusrnet", 33.4122), ("conversenet", 26.5215)])
def test_published_deblurring(assets, tmp_path, network, psnr):
    """The smallest image of Set5 and the first blur kernel."""
    protocol = next(protocol for protocol in PROTOCOLS if protocol.name == f"deblurring_{network}_set5_psf1")
    (tmp_path / "set5").mkdir()
    (tmp_path / "set5/butterfly_GT.bmp").symlink_to(assets / "testsets/set5/butterfly_GT.bmp")
    (tmp_path / "blur_kernels").symlink_to(assets / "blur_kernels")
    reproduce([protocol], Places(assets / "weights", (tmp_path,)), tmp_path / "out")
    measured = json.loads((tmp_path / "out/results.json").read_text())[protocol.name]["images"]["butterfly_GT.bmp"]
    assert abs(measured["psnr"] - psnr) < 0.005


@pytest.mark.parametrize("arguments", [[], ["--weights", "my weights"]])
def test_what_is_missing_is_named_once_with_its_source_and_the_next_step(in_tmp, monkeypatch, capsys, arguments):
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_tmp / "cache"))
    monkeypatch.setenv("CONVERSE_ASSETS", str(in_tmp / "none"))
    (in_tmp / "my weights").mkdir()
    assert main(["reproduce", *arguments]) == 2
    printed, error = capsys.readouterr()
    for name, task in (
        ("converse_dncnn.pth", "denoising"),
        ("converse_srresnet.pth", "sr"),
        ("conversenet.pth", "deblurring"),
        ("converse_usrnet.pth", "deblurring"),
        ("set12", "denoising +https://github.com/cszn/DnCNN"),
        ("set5", "sr, deblurring +links in BasicSR's docs"),
        ("urban100", "sr, deblurring"),
        ("blur_kernels", "deblurring +kernel_1.npy ... kernel_5.npy of the paper's code"),
    ):
        assert len(re.findall(rf"^  {name} +{task}", printed, re.MULTILINE)) == 1
    command = "basicsr weights get converse_dncnn converse_srresnet conversenet converse_usrnet"
    assert f"next: {command}{' --dir ' + repr(arguments[1]) if arguments else ''}\n" in printed
    assert "left out: 36 of 36 protocols" in printed and len(printed.splitlines()) < 20
    assert "not in my weights:" in printed if arguments else "not in ., experiments/pretrained_models, " in printed
    assert "nothing can be measured" in error and len(error.splitlines()) == 1


def test_a_set_that_is_no_use_is_named_once(small, capsys):
    (small / "data/testsets/Set5/LR").mkdir()
    cv2.imwrite(str(small / "data/testsets/Set5/LR/0.png"), np.zeros((40, 48, 3), np.uint8))
    run(small, code=2)
    assert capsys.readouterr().out.count("cannot tell which images are the ground truth") == 1


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere the cache folder is not set by XDG_CACHE_HOME")
def test_published_weights_are_told_from_others(assets, in_tmp, monkeypatch, capsys):
    """Without --weights only the published files count, wherever they are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_tmp / "cache"))
    monkeypatch.setenv("CONVERSE_ASSETS", str(in_tmp / "none"))
    protocol = choose(["sr"], ["set5"])[0]
    (in_tmp / protocol.weights).write_bytes(b"mine")
    places = Places(None, ())
    with pytest.raises(UserError, match="converse_srresnet.pth: not found"):
        places.checkpoint(protocol)
    assert "not used: converse_srresnet.pth is not the published" in capsys.readouterr().err
    (in_tmp / protocol.weights).unlink()
    (in_tmp / protocol.weights).symlink_to(assets / "weights" / protocol.weights)
    assert places.checkpoint(protocol) == Path(protocol.weights)
