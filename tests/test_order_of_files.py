"""The order of a data set's images is that of their names, whatever order the file system has."""

import os

import pytest
from tiny import options, write_images

import converse_basicsr.data  # noqa: F401 (registers)

from basicsr.data import build_dataset

NAMES = [f"image{number}.png" for number in range(3)]


def paths_of(section: dict) -> list:
    return build_dataset({**section, "phase": "val", "scale": 4}).paths


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("template", ["{}", "{}x4"])
def test_pairs_of_folders(in_tmp, monkeypatch, template, reverse):
    write_images(in_tmp / "data")
    for name in NAMES:
        stem, suffix = os.path.splitext(name)
        os.rename(f"data/LR/{name}", f"data/LR/{template.format(stem)}{suffix}")
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: sorted(scandir(path), key=lambda e: e.name, reverse=reverse))
    pairs = paths_of({**options()["datasets"]["val"], "filename_tmpl": template})
    assert [os.path.basename(pair["gt_path"]) for pair in pairs] == NAMES
    assert [os.path.basename(pair["lq_path"]) for pair in pairs] == [
        f"{template.format(os.path.splitext(name)[0])}.png" for name in NAMES
    ]
