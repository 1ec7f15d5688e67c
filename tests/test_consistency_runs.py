"""The consistency step in RestorationModel, its options, and the commands restore and reproduce."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny import options, write_images

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr import load_network, restore
from converse_basicsr.checks import check_run
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.files.checkpoint import save_file
from converse_basicsr.images.reading import read_picture
from converse_basicsr.inference import Consistency, bicubic_psf
from converse_basicsr.networks import ConverseSRResNet
from converse_basicsr.reproduce import measurement

from basicsr.models import build_model

NETWORK = {"type": "ConverseSRResNet", "num_feat": 4, "num_block": 1, "upscale": 4}
STEP = {"consistency": "bicubic", "consistency_lam": 0.001}


def opt_for(**val) -> dict:
    opt = options(model_type="RestorationModel", network_g=NETWORK)
    return {**opt, "val": {**opt["val"], **val}}


def restored_by_the_model(lq: torch.Tensor, **val) -> torch.Tensor:
    torch.manual_seed(0)
    opt = {**opt_for(**val), "is_train": False, "dist": False, "rank": 0, "world_size": 1, "num_gpu": 0}
    model = build_model(opt)
    model.feed_data({"lq": lq})
    model.test()
    return model.output


@pytest.mark.parametrize("others", [{}, {"tile": 8, "tile_overlap": 2}, {"x8": True}])
def test_the_model_makes_results_consistent_with_their_input(others):
    lq = torch.rand(2, 3, 11, 9)
    plain, result = restored_by_the_model(lq, **others), restored_by_the_model(lq, **others, **STEP)
    step = Consistency(bicubic_psf(4), 4, 0.001)
    assert torch.equal(result, step(plain, lq)) and not torch.equal(result, plain)
    assert (step.reduce(result) - lq).norm() < 0.1 * (step.reduce(plain) - lq).norm()
    assert torch.equal(restored_by_the_model(lq, **others, consistency=None), plain)


def test_the_default_lam_and_a_psf_from_a_file(in_tmp):
    np.save("psf.npy", bicubic_psf(4).numpy())
    lq = torch.rand(1, 3, 8, 8)
    expected = Consistency(bicubic_psf(4), 4, 0.01)(restored_by_the_model(lq), lq)
    assert torch.equal(restored_by_the_model(lq, consistency="bicubic"), expected)
    assert torch.allclose(restored_by_the_model(lq, consistency="psf.npy"), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("val", "changes", "message"),
    [
        ({"consistency": "bicubik"}, {}, "val:consistency: must be bicubic or a blur kernel; .* got bicubik"),
        (
            {"consistency": "no.npy"},
            {},
            "val:consistency: must be bicubic or a blur kernel; no such blur kernel: no.npy",
        ),
        ({"consistency": 3}, {}, "val:consistency: must be a path"),
        ({"consistency": "bicubic", "consistency_lam": 0}, {}, "val:consistency_lam: must be a number above 0, got 0"),
        ({"consistency_lam": 0.1}, {}, "val:consistency_lam: has no effect without val:consistency"),
        (STEP, {"model_type": "SRModel"}, "val:consistency: SRModel ignores this option; RestorationModel reads it"),
        (STEP, {"scale": 1}, "val:consistency: bicubic is a reduction, and needs a scale above 1"),
    ],
)
def test_wrong_options_are_named(in_tmp, val, changes, message):
    write_images(in_tmp / "data")
    with pytest.raises(UserError, match=message):
        check_run({**opt_for(**val), **changes}, is_train=True)


def test_good_options_pass(in_tmp):
    write_images(in_tmp / "data")
    check_run(opt_for(**STEP), is_train=True)


# --- basicsr restore ---


@pytest.fixture
def place(in_tmp) -> Path:
    torch.manual_seed(0)
    arguments = {name: value for name, value in NETWORK.items() if name != "type"}
    save_file({"params": ConverseSRResNet(**arguments).state_dict(), "network_options": NETWORK}, "sr.pth")
    cv2.imwrite("one.png", np.random.default_rng(0).integers(0, 256, (12, 15, 3), np.uint8))
    return in_tmp


def test_the_command_does_what_restore_does(place):
    assert main(["restore", "one.png", "-m", "sr.pth", "--consistency", "bicubic", "--consistency_lam", "0.001"]) == 0
    expected = restore(read_picture("one.png").pixels, load_network("sr.pth"), **STEP)
    np.testing.assert_array_equal(read_picture("restored/one.png").pixels, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-m sr.pth --consistency cubic", "consistency: must be bicubic or a blur kernel; kernel: must be FILE.npy"),
        ("-m sr.pth --consistency bicubic --consistency_lam -1", "consistency_lam: must be above 0, got -1.0"),
        ("-m sr.pth --consistency_lam 1", "--consistency_lam: has no effect without --consistency"),
        (
            "--method converse2d --kernel gaussian:1 --consistency bicubic",
            "--consistency: has no effect with --method converse2d",
        ),
    ],
)
def test_restore_refuses_what_is_wrong(place, capsys, arguments, message):
    assert main(["restore", "one.png", *arguments.split()]) == 2
    printed = capsys.readouterr().err
    assert message in printed and len(printed.strip().splitlines()) == 1


# --- basicsr reproduce ---


@pytest.fixture
def reproduced(place, monkeypatch):
    """Run the command on a tiny network and image; returns the content of results.json below a folder."""
    Path("data/set5").mkdir(parents=True)
    cv2.imwrite("data/set5/a.png", np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8))
    Path("weights").mkdir()
    torch.save(load_network("sr.pth").state_dict(), "weights/converse_srresnet.pth")
    build = measurement.build_model
    monkeypatch.setattr(measurement, "build_model", lambda opt: build({**opt, "num_gpu": 0, "network_g": NETWORK}))

    def run(arguments: str, folder: str) -> dict:
        assert main(["reproduce", *arguments.split(), "--weights", "weights", "--data", "data"]) == 0
        return json.loads(Path("results/reproduce", folder, "results.json").read_text())["sr_conversesrresnet_set5"]

    return run


def test_reproduce_measures_with_the_step_in_a_folder_of_its_own(reproduced):
    plain = reproduced("sr", "")
    folder = "consistencybicubic_consistency_lam0.5"
    result = reproduced("sr --consistency bicubic --consistency_lam 0.5", folder)
    assert plain["images"] != result["images"] and "reduction" not in plain["settings"]
    assert "consistency step (bicubic, lam 0.5)" in Path("results/reproduce", folder, "results.md").read_text()


def test_reproduce_measures_again_if_the_file_has_changed(reproduced):
    folder = "consistencypsf.npy"
    np.save("psf.npy", bicubic_psf(4).numpy())
    first = reproduced("sr --consistency psf.npy", folder)
    np.save("psf.npy", np.eye(3))
    assert reproduced("sr --consistency psf.npy", folder)["images"] != first["images"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--consistency cubic", "--consistency: must be bicubic or a blur kernel"),
        ("--consistency bicubic --consistency_lam 0", "--consistency_lam: must be above 0, got 0"),
        ("--consistency_lam 1", "--consistency_lam: has no effect without --consistency"),
    ],
)
def test_reproduce_refuses_what_is_wrong(in_tmp, capsys, arguments, message):
    assert main(["reproduce", *arguments.split()]) == 2
    printed = capsys.readouterr().err
    assert message in printed and len(printed.strip().splitlines()) == 1


def test_reproduce_leaves_out_what_has_no_reduction(reproduced, capsys):
    Path("data/set5").rename("data/set12")
    torch.save({}, "weights/converse_dncnn.pth")
    arguments = "denoising --sets set12 --weights weights --data data --consistency bicubic"
    assert main(["reproduce", *arguments.split()]) == 2
    left_out = "left out: denoising_conversedncnn_set12: consistency: bicubic is a reduction, and needs a scale above 1"
    assert left_out in capsys.readouterr().out
