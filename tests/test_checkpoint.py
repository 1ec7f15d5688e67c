"""Checkpoint files: levels, damage, and saves that fail."""

import errno

import pytest
import torch

from converse_basicsr.errors import UserError
from converse_basicsr.files import checkpoint
from converse_basicsr.files.checkpoint import load_file, save_file, select_state_dict

BARE = {"a.weight": torch.ones(2), "b": torch.zeros(1)}
EMA = {"a.weight": torch.full((2,), 3.0), "b": torch.zeros(1)}


@pytest.mark.parametrize(
    ("file", "param_key", "words", "value"),
    [
        (BARE, None, "a bare state dict", 1),
        (BARE, "params", "a bare state dict", 1),
        ({"params": BARE, "params_ema": EMA}, "params", "param key [params]", 1),
        ({"params": BARE, "params_ema": EMA}, "params_ema", "param key [params_ema]", 3),
        ({"params": BARE, "params_ema": EMA}, None, "param key [params_ema]", 3),
        ({"params": BARE}, "params_ema", "param key [params]", 1),
        ({"state_dict": BARE}, "params", "param key [state_dict]", 1),
        ({"mine": BARE, "params": EMA}, "mine", "param key [mine]", 1),
    ],
)
def test_levels_are_recognised(file, param_key, words, value):
    found, state_dict = select_state_dict(file, param_key)
    assert found == words
    assert state_dict["a.weight"][0] == value


def test_module_prefix_is_taken_off():
    assert list(select_state_dict({"module.a": torch.ones(1)})[1]) == ["a"]


@pytest.mark.parametrize("file", [{}, {"epoch": 3}, {"params": {}}, {"params": {"a": 1}}, {3: torch.ones(1)}])
def test_no_state_dict_is_named(file):
    with pytest.raises(UserError, match="holds no state dict"):
        select_state_dict(file)


def test_an_unknown_param_key_is_named():
    with pytest.raises(UserError, match="the checkpoint has no 'params_emma'; did you mean params_ema?"):
        select_state_dict({"params": BARE, "params_ema": EMA}, "params_emma")


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(UserError, match=f"no such checkpoint: {tmp_path}/none.pth"):
        load_file(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    with pytest.raises(UserError, match="text.pth is not a file of weights; such are .pth files .* and .safetensors"):
        load_file(tmp_path / "text.pth")


class Unsafe:
    pass


def test_anything_but_tensors_and_containers_is_refused(tmp_path):
    torch.save({"params": Unsafe()}, tmp_path / "unsafe.pth")
    with pytest.raises(UserError, match="unsafe.pth holds objects other than tensors"):
        load_file(tmp_path / "unsafe.pth")


def test_a_failed_save_keeps_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "net.pth"
    save_file({"params": BARE}, path)

    def save_half(content, file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", save_half)
    monkeypatch.setattr(checkpoint.time, "sleep", lambda seconds: None)
    with pytest.raises(UserError, match="cannot write .*net.pth: No space left on device; earlier files are unchanged"):
        save_file({"params": EMA}, path)
    assert torch.equal(load_file(path)["params"]["a.weight"], BARE["a.weight"])
    assert [file.name for file in tmp_path.iterdir()] == ["net.pth"]
