"""basicsr restore with the published weights: the numbers of the model classes that `reproduce` measures with."""

import re

import cv2
import numpy as np
import pytest
import torch

from converse_basicsr import load_network
from converse_basicsr.cli import main

SET5 = ("baby", "bird", "butterfly", "head", "woman")


def restored_scores(printed: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"(\w+)\.png: .*PSNR ([\d.]+) dB", printed)}


@pytest.mark.usefixtures("needs_basicsr")
def test_super_resolution_of_files_measures_as_reproduce_does(in_tmp, assets, capsys):
    from converse_basicsr import archs, data, metrics, models  # noqa: F401 (registers)
    from converse_basicsr.degradations.bicubic import reduce_bicubic
    from converse_basicsr.evaluation.measure import evaluate, options_for_test, quietly, validation_set
    from converse_basicsr.reproduce.protocols import choose

    from basicsr.models import build_model

    for name in SET5:
        gt = cv2.imread(str(assets / f"testsets/set5/{name}_GT.bmp"))
        gt = gt[: gt.shape[0] // 4 * 4, : gt.shape[1] // 4 * 4]
        for folder, image in (("gt", gt), ("lq", reduce_bicubic(gt, 4))):
            (in_tmp / folder).mkdir(exist_ok=True)
            cv2.imwrite(f"{folder}/{name}.png", image)
    weights = str(assets / "weights/converse_srresnet.pth")
    assert main(["restore", "lq", "-m", weights, "--gt", "gt"]) == 0
    found = restored_scores(capsys.readouterr().out)

    protocol = choose(["sr"], ["set5"])[0]
    opt = {
        "name": "files", "model_type": "RestorationModel", "scale": 4, "num_gpu": "auto", "network_g": {"type":
        protocol.network}, "path": {"pretrain_network_g": weights, "param_key_g": None}, "val":
        {"metrics": protocol.metrics},
    }  # fmt: skip
    section = {"name": "files", "type": "PairedImageDataset", "dataroot_gt": "gt", "dataroot_lq": "lq"}
    opt = options_for_test(opt, None)
    dataset = validation_set({**section, "io_backend": {"type": "disk"}}, opt)
    expected = {row.name: row.restored_metrics["psnr"] for row in evaluate(quietly(build_model, opt), dataset, opt)}
    assert found.keys() == expected.keys() == set(SET5)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.01)


def test_denoising_of_a_gray_picture(in_tmp, assets, capsys):
    """A noisy file is restored as the network restores its pixels."""
    clean = cv2.imread(str(assets / "testsets/set12/01.png"), cv2.IMREAD_GRAYSCALE)[64:192, 64:192]
    noisy = clean + np.random.RandomState(0).normal(0, 25, clean.shape)
    for folder, image in (("gt", clean), ("noisy", noisy.clip(0, 255).round().astype(np.uint8))):
        (in_tmp / folder).mkdir()
        cv2.imwrite(f"{folder}/01.png", image)
    assert main(["restore", "noisy", "-m", str(assets / "weights/converse_dncnn.pth"), "--gt", "gt"]) == 0
    with torch.no_grad():
        pixels = torch.from_numpy(cv2.imread("noisy/01.png", cv2.IMREAD_GRAYSCALE))[None, None] / 255
        expected = load_network(assets / "weights/converse_dncnn.pth")(pixels).mul(255).clamp(0, 255).round()
    psnr = 10 * np.log10(255**2 / np.square(expected[0, 0].numpy() - clean).mean())
    assert restored_scores(capsys.readouterr().out)["01"] == pytest.approx(psnr, abs=0.01) and psnr > 28
    assert cv2.imread("restored/01.png", cv2.IMREAD_UNCHANGED).ndim == 2
