"""The networks in mmengine's registry, and the example that trains one with mmengine's Runner."""

import json
import subprocess
import sys

import pytest
import torch
from conftest import REPOSITORY

import converse_basicsr
from converse_basicsr import networks

pytest.importorskip("mmengine")

NAMES = ["Converse2D", "ConverseBlock", *networks.__all__]
SMALL = "dict(type={type!r}, num_feat=4, num_block=1)"
BUILDS = {
    "a type with its scope": f"MODELS.build({SMALL.format(type='converse_basicsr.ConverseSRResNet')})",
    "_scope_": ("MODELS.build(dict(type='ConverseSRResNet', _scope_='converse_basicsr', num_feat=4, num_block=1))"),
    "default_scope": (
        "DefaultScope.get_instance('test', scope_name='converse_basicsr'); "
        f"MODELS.build({SMALL.format(type='ConverseSRResNet')})"
    ),
}


def printed_by(code: str) -> list[str]:
    """The words that a fresh interpreter prints."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.mark.parametrize("way", BUILDS)
def test_a_name_in_a_config_builds_the_network_without_an_import(way):
    setup, _, build = BUILDS[way].rpartition("; ")
    code = (
        "import sys; from mmengine.registry import MODELS, DefaultScope; "
        f"print('converse_basicsr' in sys.modules); {setup or 'pass'}; print(type({build}).__name__); "
        "print('basicsr' in sys.modules)"
    )
    assert printed_by(code) == ["False", "ConverseSRResNet", "False"]


def test_custom_imports_of_a_config_file_register(tmp_path):
    file = tmp_path / "config.py"
    file.write_text(
        "custom_imports = dict(imports=['converse_basicsr.mmengine'])\ndefault_scope = 'converse_basicsr'\n"
    )
    code = (
        f"import sys; from mmengine.config import Config; Config.fromfile({str(file)!r}); "
        "print('converse_basicsr.mmengine' in sys.modules)"
    )
    assert printed_by(code) == ["True"]


def test_nothing_else_imports_mmengine():
    names = ("cli", "layers", "networks", "weights.loading", "restoration.api")
    modules = ", ".join(f"converse_basicsr.{name}" for name in names)
    assert printed_by(f"import sys, {modules}; print('mmengine' in sys.modules)") == ["False"]


def test_other_scopes_see_none_of_the_names():
    from mmengine.registry import MODELS

    import converse_basicsr.mmengine  # noqa: F401

    assert not set(NAMES) & set(MODELS.module_dict)
    assert sorted(MODELS.children["converse_basicsr"].module_dict) == sorted(NAMES)


def test_options_reach_the_constructor():
    from mmengine.config import ConfigDict
    from mmengine.registry import MODELS

    layer = MODELS.build(
        ConfigDict(type="converse_basicsr.Converse2D", in_channels=3, out_channels=3, kernel_size=3, scale=2, padding=1)
    )
    assert isinstance(layer, converse_basicsr.Converse2D)
    assert layer(torch.zeros(1, 3, 5, 7)).shape == (1, 3, 10, 14)
    with pytest.raises(TypeError, match="num_feats"):
        MODELS.build(ConfigDict(type="converse_basicsr.ConverseDnCNN", num_feats=3))


def test_an_unknown_name_is_named():
    from mmengine.registry import MODELS

    with pytest.raises(KeyError, match=r"converse_basicsr\.ConverseSRResnet is not in"):
        MODELS.build({"type": "converse_basicsr.ConverseSRResnet"})


def test_mmengines_runner_trains_a_network(tmp_path):
    command = [
        sys.executable,
        REPOSITORY / "examples/mmengine_training.py",
        "--iterations",
        "20",
        "--work-dir",
        tmp_path,
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (scalars,) = tmp_path.rglob("scalars.json")
    records = [json.loads(line) for line in scalars.read_text().splitlines()]
    losses = [record["loss"] for record in records if "loss" in record]
    assert len(losses) == 4 and losses[-1] < losses[0]
    assert records[-1]["photograph/psnr"] > 30
    state = torch.load(tmp_path / "iter_20.pth", weights_only=False)["state_dict"]  # written by this test
    torch.save({key.removeprefix("network."): value for key, value in state.items()}, tmp_path / "net.pth")
    network = converse_basicsr.load_network(tmp_path / "net.pth")
    assert isinstance(network, networks.ConverseSRResNet)
    assert network(torch.zeros(1, 3, 8, 9)).shape == (1, 3, 16, 18)
