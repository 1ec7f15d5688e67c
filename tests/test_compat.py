"""The adaptations of BasicSR: each does its work here, and none is active where it is not needed."""

import os
import sys
import types

import lmdb
import pytest
import torch

from converse_basicsr import compat
from converse_basicsr.errors import UserError

from basicsr.models.base_model import BaseModel
from basicsr.utils.file_client import FileClient

PATCHES = {patch.name: patch for patch in (*compat.BEFORE_IMPORT, *compat.AFTER_IMPORT)}


def test_every_patch_is_described_and_decided():
    assert all(patch.release and patch.reason for patch in PATCHES.values())
    assert [patch.name for patch, _ in compat.status()] == list(PATCHES)
    assert compat._active.keys() == PATCHES.keys()


def test_loading_again_changes_nothing():
    before = (BaseModel.load_network, FileClient._backends["lmdb"])
    compat.load_basicsr()
    assert before == (BaseModel.load_network, FileClient._backends["lmdb"])


@pytest.mark.parametrize("name", [patch.name for patch in compat.AFTER_IMPORT])
def test_patches_of_basicsr_are_not_needed_by_a_later_release(name, monkeypatch):
    monkeypatch.setattr("basicsr.version.__version__", "1.5.0")
    assert not PATCHES[name].needed()


@pytest.mark.parametrize("name", ["distributed_without_cuda"])
def test_patches_for_machines_without_cuda_are_not_needed_with_it(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not PATCHES[name].needed()


@pytest.mark.parametrize("patch", compat.BEFORE_IMPORT, ids=lambda patch: patch.name)
def test_what_was_made_before_the_import_is_not_needed_a_second_time(patch):
    assert not patch.needed()


def test_distutils_alias_compares_versions(monkeypatch):
    for name in ("distutils", "distutils.version"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    PATCHES["distutils"].apply()
    from distutils.version import LooseVersion

    assert LooseVersion("0.28.0+cu130") >= LooseVersion("0.9.0")
    assert LooseVersion("0.10.0") > LooseVersion("0.9.0")


def test_functional_tensor_has_what_basicsr_imports():
    from torchvision.transforms.functional_tensor import rgb_to_grayscale

    gray = rgb_to_grayscale(torch.ones(1, 3, 2, 2))
    torch.testing.assert_close(gray, torch.full((1, 1, 2, 2), 0.9999), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("python", "fix"),
    [
        ((3, 12, 1), r"pip install .*train\]'? --no-build-isolation"),
        ((3, 13, 0), "does not build on Python 3.13; use Python"),
    ],
)
def test_without_basicsr_the_fix_is_named(monkeypatch, python, fix):
    monkeypatch.setitem(sys.modules, "basicsr", None)
    monkeypatch.setattr(sys, "version_info", python)
    with pytest.raises(UserError, match=f"BasicSR is not installed: .*{fix}"):
        compat.load_basicsr()


def test_a_failed_import_of_basicsr_can_be_tried_again(tmp_path, monkeypatch):
    (tmp_path / "basicsr.py").write_text("raise ImportError('half an installation')")
    monkeypatch.setattr(compat, "_active", {})
    for patches in ("BEFORE_IMPORT", "AFTER_IMPORT"):
        monkeypatch.setattr(compat, patches, [compat.Patch(patches, "any", "", lambda: True, lambda: None)])
    with monkeypatch.context() as broken:
        broken.delitem(sys.modules, "basicsr")
        broken.syspath_prepend(tmp_path)
        with pytest.raises(ImportError, match="half an installation"):
            compat.load_basicsr()
    compat.load_basicsr()
    assert compat._active == {"BEFORE_IMPORT": True, "AFTER_IMPORT": True}


def make_model():
    return BaseModel({"num_gpu": 0, "is_train": True, "dist": False}), torch.nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("saved", "param_key"),
    [("bare", None), ("bare", "params"), ("params", "params_ema"), ("state_dict", "params"), ("params_ema", None)],
)
def test_load_network_recognises_levels(tmp_path, saved, param_key):
    model, network = make_model()
    expected = torch.nn.Linear(2, 2)
    content = expected.state_dict() if saved == "bare" else {saved: expected.state_dict()}
    torch.save(content, tmp_path / "net.pth")
    model.load_network(network, str(tmp_path / "net.pth"), True, param_key)
    assert torch.equal(network.weight, expected.weight)


@pytest.fixture
def database(tmp_path):
    path = str(tmp_path / "some.lmdb")
    with lmdb.open(path) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"key", b"value")
    return path


def test_the_same_lmdb_can_be_opened_twice(database):
    clients = [FileClient("lmdb", db_paths=[database], client_keys=["gt"]) for _ in range(2)]
    assert [client.get("key", "gt") for client in clients] == [b"value"] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_an_lmdb_opened_before_a_fork_can_be_opened_in_the_child(database):
    parent = FileClient("lmdb", db_paths=database)
    child = os.fork()
    if child == 0:
        try:
            value = FileClient("lmdb", db_paths=database).get("key")
            os._exit(0 if value == b"value" else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert parent.get("key") == b"value"
