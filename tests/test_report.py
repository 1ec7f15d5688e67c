"""The end of a run: the numbers of the table, and the picture."""

import cv2
import numpy as np
import pytest
import torch
from tiny import options, write_images

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr.evaluation.figure import edges, strongest_window
from converse_basicsr.evaluation.report import report

from basicsr.archs import build_network
from basicsr.metrics import calculate_psnr
from basicsr.utils.matlab_functions import imresize


def trained(folder, **changes) -> dict:
    """Options, images and an untrained checkpoint, as a run leaves them."""
    write_images(folder / "data")
    opt = options(**changes)
    models = folder / "experiments/tiny/models"
    models.mkdir(parents=True)
    network = build_network(opt["network_g"])
    torch.save({"params": network.state_dict(), "params_ema": network.state_dict()}, models / "net_g_latest.pth")
    return opt


def table(printed: str) -> dict[str, list[float]]:
    """The numbers of each image and of the mean: baseline, restored, change."""
    lines = [line.split() for line in printed.splitlines() if line.startswith(("image", "mean"))]
    return {name: [float(cell) for cell in cells] for name, *cells in lines[1:]}


def test_table_and_panel_of_a_training_run(in_tmp, capsys):
    opt = trained(in_tmp)
    report(opt, str(in_tmp), is_train=True)
    printed = capsys.readouterr().out
    lines, rows = printed.splitlines(), table(printed)
    assert list(rows) == ["image0", "image1", "image2", "mean"]

    gt, lq = (cv2.imread(str(in_tmp / f"data/{name}/image1.png")) for name in ("HR", "LR"))
    bicubic = (imresize(lq.astype(np.float32) / 255, 4).clip(0, 1) * 255).round().astype(np.uint8)
    expected = calculate_psnr(bicubic, gt, crop_border=4, test_y_channel=True)
    assert abs(rows["image1"][0] - expected) < 1e-3
    assert abs(rows["image1"][2] - (rows["image1"][1] - rows["image1"][0])) < 2e-4
    assert abs(rows["mean"][0] - np.mean([rows[f"image{i}"][0] for i in range(3)])) < 1e-3

    assert lines[-2] == "picture     experiments/tiny/comparison_tiny_val.png"
    assert lines[-1] == "checkpoint  experiments/tiny/models/net_g_latest.pth"
    panel = cv2.imread(str(in_tmp / "experiments/tiny/comparison_tiny_val.png"))
    assert panel.shape[0] > 3 * 64 and panel.std() > 10


@pytest.mark.parametrize(("level", "reported"), [("params", False), ("params_ema", True)])
def test_the_ema_weights_are_those_reported(in_tmp, capsys, level, reported):
    opt = trained(in_tmp)
    report(opt, str(in_tmp), is_train=True)
    before = table(capsys.readouterr().out)
    path = in_tmp / "experiments/tiny/models/net_g_latest.pth"
    levels = torch.load(path)
    levels[level] = {key: torch.full_like(value, 0.1) for key, value in levels[level].items()}
    torch.save(levels, path)
    report(opt, str(in_tmp), is_train=True)
    after = table(capsys.readouterr().out)
    assert before["mean"][0] == after["mean"][0] and (before["mean"][1] != after["mean"][1]) == reported


def test_without_metrics_there_is_nothing_to_say(in_tmp, capsys):
    report(options(val__metrics=None), str(in_tmp), is_train=True)
    assert capsys.readouterr().out == ""


def test_the_crop_is_where_the_edges_are():
    image = np.zeros((40, 50), np.uint8)
    image[20:30, 31:39] = 255
    top, left = strongest_window(edges(image), 14)
    assert top <= 19 and top + 14 >= 31 and left <= 30 and left + 14 >= 40
