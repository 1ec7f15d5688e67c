"""Fixtures: the assets, which are not in the repository, and folders. Tests that import BasicSR skip without it."""

import os
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

os.environ["TORCH_CPP_LOG_LEVEL"] = "ERROR"  # as the command sets it; here for servers of processes too
if "PYTEST_XDIST_WORKER" in os.environ:  # several processes with a thread a core each would be slow; before torch loads
    os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
import torch

from converse_basicsr.compat import load_basicsr
from converse_basicsr.errors import UserError
from converse_basicsr.files.assets import assets_folder

REPOSITORY = Path(__file__).resolve().parents[1]


def environment() -> dict[str, str]:
    """The environment for a Python process in another directory: it finds this package, and what this process finds."""
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{known}" if known else str(REPOSITORY)}


class SkipWithoutBasicSR(MetaPathFinder):
    """Skips the test, or the test file, that imports BasicSR."""

    def __init__(self, reason: str):
        self.reason = reason

    def find_spec(self, name, path=None, target=None):
        if name == "basicsr":
            pytest.skip(self.reason, allow_module_level=True)


try:
    load_basicsr()  # the tests may import basicsr in any order after this
except UserError as error:
    sys.modules.pop("basicsr", None)  # None, as in test_import.py, would hide it from the finder
    sys.meta_path.insert(0, SkipWithoutBasicSR(str(error)))


@pytest.fixture
def needs_basicsr() -> None:
    """For a test whose subprocess imports BasicSR."""
    import basicsr  # noqa: F401


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


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory) -> list[str]:
    """The files sr.pth, usr.pth and gray.pth, of tiny networks."""
    from tiny_weights import save_networks

    return save_networks(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def page_server(tmp_path_factory, tiny_weights):
    """The local page with these networks as given-0 to given-2, on a computer without published weights."""
    from served_page import served_without_published

    with served_without_published(tmp_path_factory.mktemp("page"), tiny_weights) as server:
        yield server


@pytest.fixture
def page(page_server):
    """A client of this page."""
    from served_page import Page

    return Page(page_server.address)
