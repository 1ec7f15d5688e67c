"""Fixtures: the assets, which are not part of the repository, and folders."""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # several processes with a thread a core each would be slow; before torch loads
    os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
import torch

from converse_basicsr.compat import load_basicsr
from converse_basicsr.files.assets import assets_folder

load_basicsr()  # the tests may import basicsr in any order after this

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def assets() -> Path:
    folder = assets_folder()
    if folder is None:
        pytest.skip("published weights and golden outputs are not here: set CONVERSE_ASSETS to their folder")
    return folder


@pytest.fixture(scope="session")
def golden(assets):
    """Read a golden file as float64 tensors by name (integers stay numbers)."""

    def read(name: str) -> dict:
        with np.load(assets / "golden" / f"{name}.npz") as file:
            return {
                key: torch.from_numpy(file[key]).double() if file[key].ndim else file[key].item() for key in file.files
            }

    return read


@pytest.fixture
def in_tmp(tmp_path, monkeypatch) -> Path:
    """Run the test in an empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
