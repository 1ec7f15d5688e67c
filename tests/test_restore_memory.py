"""How much memory a restoration may use, and the tile that fits."""

import pytest
import torch
from torch import nn

from converse_basicsr.errors import UserError
from converse_basicsr.networks import ConverseDnCNN, ConverseSRResNet
from converse_basicsr.restoration.free_memory import _left_in_cgroups, free_memory
from converse_basicsr.restoration.memory import _SAFETY, Budget, Need, parse_memory

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4e9), ("4g", 4e9), ("500 MB", 5e8), ("1.5GiB", 1.5 * 2**30), (1000, 1000), ("4GiB", 2**32)],
)
def test_sizes_of_memory(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "4XB", "0", "1e9", "nan"])
def test_what_is_no_size_of_memory(text):
    with pytest.raises(UserError, match="memory: must be a size"):
        parse_memory(text)


def budget(size: float) -> Budget:
    free = Budget(None, CPU)
    free.size = int(size)
    return free


@pytest.mark.parametrize("scale", [1, 4])
def test_the_tile_fits_the_memory(scale):
    network = (ConverseSRResNet if scale == 4 else ConverseDnCNN)()
    shape, need = torch.Size([1, 3, 1000, 1500]), Need(network)
    whole = 1.05 * _SAFETY * (need.fixed + need.per_pixel * scale**2 * 1.5e6) + 30 * 3 * scale**2 * 1.5e6
    assert budget(whole).tile(network, shape, scale, False, 16) is None
    tile = budget(whole / 2).tile(network, shape, scale, False, 16)
    assert 48 <= tile < 1500 and need.fixed + need.per_pixel * (scale * tile) ** 2 < whole / 2
    assert budget(whole / 2).tile(network, torch.Size([2, 3, 1000, 1500]), scale, False, 16) < tile
    with pytest.raises(UserError, match="memory: tiles of 48x48 of this picture need .* are free or allowed"):
        budget(1e6).tile(network, shape, scale, False, 16)


def test_a_network_with_fewer_channels_needs_less():
    assert Need(ConverseDnCNN(num_feat=16)).per_pixel == Need(ConverseDnCNN()).per_pixel / 4


def test_an_unknown_network_counts_as_the_most_demanding():
    assert Need(nn.Conv2d(3, 128, 3)).per_pixel >= Need(ConverseDnCNN()).per_pixel


def test_free_memory_respects_a_control_group(tmp_path):
    assert 0 < free_memory(CPU) < 2**50
    group = tmp_path / "a/b"
    group.mkdir(parents=True)
    (tmp_path / "cgroup").write_text("0::/a/b\n")
    for folder, most in ((group, "max"), (group.parent, "5000")):
        (folder / "memory.max").write_text(most)
        (folder / "memory.current").write_text("3000")
        (folder / "memory.stat").write_text("anon 1\ninactive_file 1000\n")
    assert _left_in_cgroups(tmp_path, tmp_path / "cgroup") == [3000]
    (tmp_path / "old").write_text("4:cpu:/\n5:memory:/\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text("4000")
    (tmp_path / "memory/memory.usage_in_bytes").write_text("1000")
    (tmp_path / "memory/memory.stat").write_text("")
    assert _left_in_cgroups(tmp_path, tmp_path / "old") == [3000]
