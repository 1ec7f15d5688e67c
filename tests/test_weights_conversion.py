"""Converting and exporting files of weights, and what other programs read in them."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file as load_tensors

from converse_basicsr import load_network, networks
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.files.checkpoint import load_file
from converse_basicsr.files.safetensors_file import METADATA_KEY, OPTIONS_TENSOR
from converse_basicsr.weights.conversion import convert
from converse_basicsr.weights.hub import export_hub
from converse_basicsr.weights.reading import read_weights

SECTION = {"type": "ConverseNet", "num_feat": 4, "num_block": 2, "kernel_size": 3, "num_iterations": 2}


@pytest.fixture
def checkpoint(in_tmp):
    """A checkpoint as our training writes it."""
    torch.manual_seed(0)
    options = {name: value for name, value in SECTION.items() if name != "type"}
    params, ema = (networks.ConverseNet(**options).state_dict() for _ in range(2))
    torch.save({"params": params, "params_ema": ema, "network_options": SECTION}, in_tmp / "net.pth")
    return in_tmp / "net.pth"


def output(weights) -> torch.Tensor:
    with torch.no_grad():
        return load_network(weights)(torch.rand(1, 3, 9, 8, generator=torch.Generator().manual_seed(0)))


def test_pth_to_safetensors_and_back_changes_nothing(checkpoint, capsys):
    assert main(["weights", "convert", "net.pth", "net.safetensors"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        "wrote net.safetensors: 32 tensors from param key [params_ema]",
        "ConverseNet (2 blocks of 4 channels), as the file says",
    ]
    assert printed[2].startswith("spandrel (ComfyUI, chaiNNer) cannot see num_iterations 2 in this file; with")
    assert main(["weights", "convert", "net.safetensors", "back.pth"]) == 0
    ema = load_file(checkpoint)["params_ema"]
    for found in (read_weights("net.safetensors"), read_weights("back.pth")):
        assert set(found.state_dict) == set(ema)
        assert all(torch.equal(found.state_dict[name], value) for name, value in ema.items())
        assert found.options.items() >= SECTION.items() and found.options["padding_mode"] == "circular"
    assert torch.equal(output("back.pth"), output("net.pth"))


def test_the_metadata_is_text_that_any_program_can_read(checkpoint):
    convert("net.pth", "net.safetensors", for_spandrel=True)
    with safe_open("net.safetensors", framework="pt") as file:
        metadata = file.metadata()
    options = json.loads(metadata[METADATA_KEY])
    assert options.items() >= SECTION.items()
    tensor = load_tensors("net.safetensors")[OPTIONS_TENSOR]
    assert json.loads(tensor.numpy().tobytes()) == options
    assert OPTIONS_TENSOR not in read_weights("net.safetensors").state_dict


def test_published_options_need_no_hint(assets, in_tmp):
    lines = convert(assets / "weights/conversenet.pth", "net.safetensors")
    assert len(lines) == 2 and "detected from its keys" in lines[1]
    assert read_weights("net.safetensors").options["num_iterations"] == 5
    assert torch.equal(output("net.safetensors"), output(assets / "weights/conversenet.pth"))


def test_names_of_kair_become_ours(assets, in_tmp):
    convert(assets / "weights/kair_dncnn_25.pth", "net.safetensors")
    assert load_file("net.safetensors")["network_options"]["batch_norm"] is False
    assert "body.0.weight" in load_tensors("net.safetensors")


def test_an_option_file_gives_what_the_file_does_not_carry(checkpoint):
    torch.save(load_file(checkpoint)["params"], "bare.pth")
    Path("opt.yml").write_text(yaml.safe_dump({"network_g": SECTION}))
    assert main(["weights", "convert", "bare.pth", "net.safetensors", "--opt", "opt.yml"]) == 0
    assert read_weights("net.safetensors").options["num_iterations"] == 2


def test_tensors_of_another_network_are_converted_as_they_are(in_tmp):
    shared = torch.rand(4, 4)
    torch.save({"a": shared, "b": shared.T, "c": torch.zeros(2, dtype=torch.int64)}, "net.pth")
    assert (
        convert("net.pth", "net.safetensors")[1] == "without options: its keys are those of no network of this package"
    )
    assert torch.equal(load_tensors("net.safetensors")["b"], shared.T)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.pth", "net.onnx"], "net.onnx: the name must end in .safetensors or .pth"),
        (["net.pth", "there.pth"], "there.pth exists; --overwrite replaces it"),
        (["net.pth", "new.pth", "--for-spandrel"], "--for-spandrel: it is for .safetensors files"),
        (["net.pth", "none/new.safetensors"], "cannot write none/new.safetensors: No such file or directory"),
        (["none.pth", "new.safetensors"], "no such checkpoint: none.pth"),
    ],
)
def test_what_cannot_be_converted_is_one_line(checkpoint, in_tmp, capsys, arguments, message):
    (in_tmp / "there.pth").touch()
    assert main(["weights", "convert", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert {file.name for file in in_tmp.iterdir()} == {"net.pth", "there.pth"} and not (
        in_tmp / "there.pth"
    ).stat().st_size


def test_show_says_which_network_a_file_is_for(checkpoint, capsys):
    assert main(["weights", "show", "net.pth"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "ConverseNet (2 blocks of 4 channels), as the file says"


def test_an_exported_folder_is_loaded_and_its_card_says_what_is_known(checkpoint, capsys):
    assert main(["weights", "export-hub", "net.pth", "out/model", "--repo-id", "me/model", "--license", "mit"]) == 0
    assert torch.equal(output("out/model"), output("net.pth"))
    config = json.loads(Path("out/model/config.json").read_text())
    assert config.items() >= {**SECTION, "scale": 1, "in_channels": 3}.items()
    card = Path("out/model/README.md").read_text()
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head)["license"] == "mit" and yaml.safe_load(head)["library_name"] == "converse_basicsr"
    assert 'snapshot_download("me/model")' in body and "num_iterations: 2" in body and "mit, as stated" in body
    assert main(["weights", "export-hub", "net.pth", "out/model"]) == 2
    assert "has model.safetensors, config.json, README.md; --overwrite replaces them" in capsys.readouterr().err
    export_hub("net.pth", "out/model", overwrite=True)
    assert "license: unknown" in Path("out/model/README.md").read_text()


def test_the_card_of_published_weights_says_that_there_is_no_licence(assets, in_tmp):
    lines = export_hub(assets / "weights/converse_dncnn.pth", "model")
    assert "state no licence" in lines[-1] and lines[-1] in Path("model/README.md").read_text()
    with pytest.raises(UserError, match="--license: leave it out for published weights, got mit. The authors state no"):
        export_hub(assets / "weights/converse_dncnn.pth", "other", licence="mit")
    assert not Path("other").exists()


def test_another_packages_network_is_not_exported(in_tmp):
    torch.save({"a": torch.zeros(1)}, "net.pth")
    with pytest.raises(UserError, match="no network has these 1 keys"):
        export_hub("net.pth", "model")
