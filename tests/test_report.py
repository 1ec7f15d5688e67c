"""The end of a run: the numbers of the table, and the picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny import options, write_images

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr.evaluation.figure import edges, strongest_window
from converse_basicsr.training.finished_options import finish_options
from converse_basicsr.training.logs import open_logs
from converse_basicsr.training.processes import Processes
from converse_basicsr.training.report import report
from converse_basicsr.training.validation import validate

from basicsr.data import build_dataset
from basicsr.metrics import calculate_psnr
from basicsr.models import build_model
from basicsr.utils.matlab_functions import imresize


def run(folder, **changes) -> tuple[dict, object]:
    """Finished options of a training, and its model before the first iteration."""
    write_images(folder / "data")
    opt = finish_options(options(**changes), ".", is_train=True)
    (folder / "experiments/tiny").mkdir(parents=True)
    return opt, build_model(opt)


def print_report(opt: dict, model) -> None:
    open_logs(Path("experiments/tiny/train.log"))
    dataset = build_dataset(opt["datasets"]["val"])
    report({dataset.opt["name"]: validate(model, dataset, opt, Processes(), with_baseline=True)}, opt)


def table(printed: str) -> dict[str, list[float]]:
    """The numbers of each image and of the mean: baseline, restored, change."""
    lines = [line.split() for line in printed.splitlines() if line.startswith(("image", "mean"))]
    return {name: [float(cell) for cell in cells] for name, *cells in lines[1:]}


def test_table_and_panel_of_a_training_run(in_tmp, capsys):
    print_report(*run(in_tmp))
    printed = capsys.readouterr().out
    lines, rows = printed.splitlines(), table(printed)
    assert list(rows) == ["image0", "image1", "image2", "mean"]

    gt, lq = (cv2.imread(str(in_tmp / f"data/{name}/image1.png")) for name in ("HR", "LR"))
    bicubic = (imresize(lq.astype(np.float32) / 255, 4).clip(0, 1) * 255).round().astype(np.uint8)
    expected = calculate_psnr(bicubic, gt, crop_border=4, test_y_channel=True)
    assert abs(rows["image1"][0] - expected) < 1e-3
    assert abs(rows["image1"][2] - (rows["image1"][1] - rows["image1"][0])) < 2e-4
    assert abs(rows["mean"][0] - np.mean([rows[f"image{i}"][0] for i in range(3)])) < 1e-3

    assert lines[-2] == "figure      experiments/tiny/comparison_tiny_val.png"
    assert lines[-1] == "checkpoint  experiments/tiny/models/net_g_latest.pth"
    panel = cv2.imread(str(in_tmp / "experiments/tiny/comparison_tiny_val.png"))
    assert panel.shape[0] > 3 * 64 and panel.std() > 10


@pytest.mark.parametrize(("network", "reported"), [("net_g", False), ("net_g_ema", True)])
def test_the_ema_weights_are_those_reported(in_tmp, capsys, network, reported):
    opt, model = run(in_tmp)
    print_report(opt, model)
    before = table(capsys.readouterr().out)
    for parameter in getattr(model, network).parameters():
        parameter.data.fill_(0.1)
    print_report(opt, model)
    after = table(capsys.readouterr().out)
    assert before["mean"][0] == after["mean"][0] and (before["mean"][1] != after["mean"][1]) == reported


def test_without_metrics_only_the_checkpoint_is_named(in_tmp, capsys):
    print_report(*run(in_tmp, val__metrics=None))
    assert capsys.readouterr().out == "checkpoint  experiments/tiny/models/net_g_latest.pth\n"


def test_the_crop_is_where_the_edges_are():
    image = np.zeros((40, 50), np.uint8)
    image[20:30, 31:39] = 255
    top, left = strongest_window(edges(image), 14)
    assert top <= 19 and top + 14 >= 31 and left <= 30 and left + 14 >= 40
