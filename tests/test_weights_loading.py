"""load_network: published files, our checkpoints, safetensors, other networks, and files that are refused."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from converse_basicsr import load_network, networks
from converse_basicsr.errors import UserError
from converse_basicsr.files.checkpoint import load_file
from converse_basicsr.files.safetensors_file import METADATA_KEY, OPTIONS_TENSOR, save_safetensors
from converse_basicsr.inference.calling import takes_kernel
from converse_basicsr.weights.loading import load_described
from converse_basicsr.weights.reading import read_weights

PUBLISHED = {
    "converse_dncnn": (1, 1, "ConverseDnCNN (20 blocks of 64 channels)"),
    "converse_srresnet": (3, 4, "ConverseSRResNet x4 (16 blocks of 64 channels)"),
    "conversenet": (3, 1, "ConverseNet (7 blocks of 64 channels)"),
    "converse_usrnet": (3, 1, "ConverseUSRNet (7 blocks of 64 channels)"),
}
TINY = {"num_feat": 4, "num_block": 1, "kernel_size": 3}
CIRCULAR = {"type": "ConverseSRResNet", **TINY, "upscale": 2, "padding_mode": "circular", "eps": 0.1}


def network_of(section: dict) -> torch.nn.Module:
    torch.manual_seed(0)
    network = getattr(networks, section["type"])(**{k: v for k, v in section.items() if k != "type"}).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return network


def same_output(network: torch.nn.Module, other: torch.nn.Module, channels: int = 3) -> bool:
    x = torch.rand(1, channels, 12, 10, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return torch.equal(network(x), other(x))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_give_the_golden_output(assets, golden, name):
    network, words = load_described(assets / f"weights/{name}.pth")
    in_channels, scale, which = PUBLISHED[name]
    assert (network.in_channels, network.scale, network.training) == (in_channels, scale, False)
    usrnet = name == "converse_usrnet"
    untold = "prior, fast_size, kernel_residual and reuse_input" if usrnet else "prior and fast_size"
    assert words.startswith(f"{which}, detected from its keys; ") and words.endswith(f"{untold} as published")
    assert takes_kernel(network) == usrnet
    tensors = golden(name)
    inputs = [tensors["x"].float()]
    inputs += [tensors["kernel"].float(), int(tensors["scale"])] if "kernel" in tensors else []
    with torch.no_grad():
        assert (network(*inputs) - tensors["y"]).abs().max() < 1e-5


def test_a_dncnn_of_kair_gives_the_output_of_spandrel(assets):
    """spandrel has KAIR's own module for it."""
    pytest.importorskip("converse_basicsr.spandrel", exc_type=ImportError)  # prepares torchvision
    from spandrel import ModelLoader

    network = load_network(assets / "weights/kair_dncnn_25.pth")
    theirs = ModelLoader().load_from_file(assets / "weights/kair_dncnn_25.pth")
    x = torch.rand(1, 1, 24, 20, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(network(x).clamp(0, 1), theirs(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("level", ["params", "params_ema"])
def test_options_in_a_checkpoint_are_used(tmp_path, level):
    network = network_of(CIRCULAR)
    other = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    levels = {"params": other, "params_ema": other} | {level: network.state_dict()}
    torch.save({**(levels if level == "params_ema" else {level: levels[level]}), "network_options": CIRCULAR},
               tmp_path / "net.pth")  # fmt: skip
    loaded, words = load_described(tmp_path / "net.pth")
    assert words == "ConverseSRResNet x2 (1 block of 4 channels), as the file says"
    assert same_output(loaded, network)
    assert not same_output(
        loaded, load_network(tmp_path / "net.pth", {"type": "ConverseSRResNet", **TINY, "upscale": 2})
    )


def test_a_safetensors_file_carries_the_options(tmp_path):
    network = network_of(CIRCULAR)
    save_safetensors(network.state_dict(), CIRCULAR, tmp_path / "net.safetensors")
    assert read_weights(tmp_path / "net.safetensors").options == CIRCULAR
    assert same_output(load_network(tmp_path / "net.safetensors"), network)
    (tmp_path / "net.safetensors").rename(tmp_path / "model.safetensors")
    assert same_output(load_network(tmp_path), network)  # a folder, as on the Hugging Face hub


def test_a_safetensors_file_of_another_program_is_detected(tmp_path):
    network = network_of({"type": "ConverseDnCNN", **TINY})
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    assert same_output(load_network(tmp_path / "net.safetensors"), network, 1)


def test_an_option_file_decides(tmp_path):
    network = network_of(CIRCULAR)
    torch.save(network.state_dict(), tmp_path / "net.pth")
    (tmp_path / "opt.yml").write_text(yaml.safe_dump({"scale": 2, "network_g": CIRCULAR}))
    loaded, words = load_described(tmp_path / "net.pth", tmp_path / "opt.yml")
    assert same_output(loaded, network) and words.endswith(f"as {tmp_path / 'opt.yml'} says")
    assert "prior and fast_size as published" in load_described(tmp_path / "net.pth")[1]


@pytest.mark.parametrize("spatial_op", ["conv", "conv_transpose"])
def test_shapes_that_fit_two_baselines_need_an_option(tmp_path, spatial_op):
    section = {"type": "ConverseDnCNN", **TINY, "spatial_op": spatial_op}
    torch.save(network_of(section).state_dict(), tmp_path / "net.pth")
    with pytest.raises(UserError, match="shapes do not tell spatial_op, 'conv' or 'conv_transpose'; give its option"):
        load_network(tmp_path / "net.pth")
    assert same_output(load_network(tmp_path / "net.pth", section), network_of(section), 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"type": "ConverseDnCNN"}, "the file says ConverseDnCNN, but its keys are those of ConverseSRResNet"),
        ({**CIRCULAR, "num_feat": 8}, "the file says num_feat 8, but its tensors say 4"),
        ({**CIRCULAR, "num_block": 5}, "the file says num_block 5, but its tensors say 1"),
        ({**CIRCULAR, "padding_mode": "round"}, "padding_mode"),
        ({**CIRCULAR, "paddings": 1}, "has no option 'paddings'; did you mean padding?"),
        ({**CIRCULAR, "padding": 10**9}, "its network_options have 'padding': 1000000000"),
        ({**CIRCULAR, "eps": {"a": 1}}, "its network_options have 'eps'"),
        ({"num_feat": 4}, "its network_options must have a type"),
        ([1], "its network_options must have a type"),
    ],
    ids=str,
)
def test_options_that_contradict_the_tensors_are_named(tmp_path, options, message):
    torch.save({"params": network_of(CIRCULAR).state_dict(), "network_options": options}, tmp_path / "net.pth")
    with pytest.raises(UserError, match=message) as error:
        load_network(tmp_path / "net.pth")
    assert str(error.value).startswith(f"{tmp_path}/net.pth: ") and "\n" not in str(error.value)


def test_the_first_keys_that_do_not_fit_are_named(tmp_path):
    state_dict = network_of({"type": "ConverseDnCNN", **TINY}).state_dict()
    del state_dict["m_tail.0.bias"]
    state_dict["extra"] = torch.zeros(1)
    torch.save(state_dict, tmp_path / "net.pth")
    with pytest.raises(UserError, match="1 keys missing: m_tail.0.bias; 1 keys unexpected: extra"):
        load_network(tmp_path / "net.pth")


def test_keys_of_no_network_are_named_with_what_can_be_done(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)  # not installed
    torch.save({"a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "net.pth")
    with pytest.raises(UserError, match=r"no network has these 2 keys \(a, b, ...\); give the option file .* spandrel"):
        load_network(tmp_path / "net.pth")


def test_a_file_larger_than_the_limit_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1000)}, tmp_path / "net.pth")
    with pytest.raises(UserError, match="net.pth has .* bytes; the limit is 1,000"):
        read_weights(tmp_path / "net.pth", largest=1000)
    torch.save({"a": torch.zeros(1).expand(10**12)}, tmp_path / "view.pth")  # a small file of a tensor without end
    with pytest.raises(UserError, match="its tensors have 4,000,000,000,000 bytes; the limit is 2,147,483,648"):
        read_weights(tmp_path / "view.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damage_anywhere_is_one_line_or_harmless(tmp_path, suffix):
    """Bytes changed, removed and added at random places, most of them in the header."""
    good = tmp_path / f"good{suffix}"
    section = {"type": "ConverseNet", **TINY}
    tensors = network_of(section).state_dict()
    if suffix == ".pth":
        torch.save({"params": tensors, "network_options": section}, good)
    else:
        save_safetensors(tensors, section, good)
    content, chance = good.read_bytes(), random.Random(0)
    refused = 0
    for number in range(60):
        place = chance.randrange(1500 if number % 3 else len(content))
        count = chance.choice((1, 4, 100))
        new = chance.choice((chance.randbytes(count), b"", b"0" * count))
        bad = tmp_path / f"bad{suffix}"
        bad.write_bytes(content[:place] + new + content[place + count * chance.choice((0, 1)) :])
        try:
            load_network(bad)
        except UserError as error:
            refused += 1
            assert bad.name in str(error) and "\n" not in str(error)
    assert refused > 20


class Unsafe:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


def test_damaged_and_unsafe_files_are_one_line(in_tmp):
    torch.save({"params": Unsafe()}, "unsafe.pth")
    save_file({"a": torch.zeros(100)}, "cut.safetensors")
    Path("cut.safetensors").write_bytes(Path("cut.safetensors").read_bytes()[:-50])
    Path("text.safetensors").write_text("not a checkpoint")
    Path("huge.safetensors").write_bytes((2**60).to_bytes(8, "little") + b"{")
    save_file({"a": torch.zeros(1)}, "json.safetensors", {METADATA_KEY: "{"})
    save_file({"a": torch.zeros(1), OPTIONS_TENSOR: torch.zeros(3)}, "tensor.safetensors")
    Path("empty.safetensors").touch()
    Path("text.pth").write_text("hello")
    with pytest.raises(UserError, match="text.pth is not a file of weights; such are .pth files"):
        load_network("text.pth")
    for file in Path().glob("*.*"):
        with pytest.raises(UserError, match=file.name) as error:
            load_network(file)
        assert "\n" not in str(error.value)
    assert not Path("executed").exists()


def test_an_unknown_name_lists_the_published_ones(in_tmp):
    with pytest.raises(UserError, match="no such checkpoint: converse_dncn; did you mean converse_dncnn\\?; published"):
        load_network("converse_dncn")


def test_a_device_that_is_not_here_is_named(tmp_path):
    torch.save(network_of({"type": "ConverseDnCNN", **TINY}).state_dict(), tmp_path / "net.pth")
    with pytest.raises(UserError, match="device nowhere: "):
        load_network(tmp_path / "net.pth", device="nowhere")


@pytest.mark.usefixtures("needs_basicsr")
def test_archs_of_basicsr_are_built_from_an_option_file(tmp_path):
    from basicsr.archs.edsr_arch import EDSR
    from basicsr.archs.srresnet_arch import MSRResNet
    from basicsr.archs.swinir_arch import SwinIR

    swinir = {"img_size": 16, "depths": [2], "num_heads": [2], "embed_dim": 8, "window_size": 8, "upscale": 2,
              "upsampler": "pixelshuffle", "in_chans": 3}  # fmt: skip
    edsr = {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 4, "num_block": 1, "upscale": 3}
    for arch, options in ((EDSR, edsr), (SwinIR, swinir)):
        torch.manual_seed(0)
        network = arch(**options).eval()
        torch.save({"params": network.state_dict()}, tmp_path / "net.pth")
        loaded, words = load_described(tmp_path / "net.pth", {"type": arch.__name__, **options})
        assert (loaded.in_channels, loaded.scale) == (3, options["upscale"])
        assert words.startswith(f"BasicSR's {arch.__name__} x{options['upscale']}, as opt says")
        x = torch.rand(1, 3, 16, 24)
        with torch.no_grad():
            assert torch.equal(loaded(x), network(x))
            assert loaded(x[..., :13, :9]).shape[2:] == (13 * loaded.scale, 9 * loaded.scale)
    msrresnet = {"num_feat": 4, "num_block": 1, "upscale": 4}
    network = MSRResNet(**msrresnet).eval()
    torch.save({"params": network.state_dict(), "network_options": {"type": "MSRResNet", **msrresnet}},
               tmp_path / "net.pth")  # fmt: skip
    loaded, words = load_described(tmp_path / "net.pth")
    assert words == "UpsamplerSRResNet x4 (1 block of 4 channels), as the file says"
    assert same_output(loaded, network)


def test_spandrel_loads_what_is_not_ours(tmp_path):
    pytest.importorskip("converse_basicsr.spandrel", exc_type=ImportError)  # prepares torchvision
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(0)
    network = Compact(num_feat=4, num_conv=2, upscale=2).eval()
    torch.save({"params": network.state_dict()}, tmp_path / "net.pth")
    loaded, words = load_described(tmp_path / "net.pth")
    assert words == "RealESRGAN Compact x2, recognised by spandrel"
    assert (loaded.in_channels, loaded.scale) == (3, 2)
    x = torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        assert torch.equal(loaded(x), network(x).clamp(0, 1))


def test_loading_works_without_basicsr(tmp_path):
    torch.save(network_of({"type": "ConverseNet", **TINY}).state_dict(), tmp_path / "net.pth")
    code = (
        "import sys; sys.modules['basicsr'] = sys.modules['torchvision'] = None\n"
        "from converse_basicsr import load_network\n"
        f"network = load_network({str(tmp_path / 'net.pth')!r}); print(network.scale, network.in_channels)\n"
        "print(sorted({'cv2', 'requests', 'pydantic', 'yaml', 'skimage'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["1 3", "[]"]


@pytest.mark.usefixtures("needs_basicsr")
def test_training_starts_from_a_safetensors_file(tmp_path):
    """The check before a run, and BasicSR's own loader."""
    from converse_basicsr.checks.networks import check_network

    from basicsr.models.base_model import BaseModel

    network = network_of(CIRCULAR)
    path = tmp_path / "net.safetensors"
    save_safetensors(network.state_dict(), CIRCULAR, path)
    section = {**CIRCULAR}
    fresh = check_network("network_g", section, {"pretrain_network_g": str(path)}, must_load=True)
    BaseModel({"num_gpu": 0, "is_train": False}).load_network(fresh, str(path), True, "params")
    assert same_output(fresh.eval(), network)
    assert load_file(path)["network_options"] == json.loads(json.dumps(CIRCULAR))
    with pytest.raises(UserError, match="none.safetensors"):
        check_network("network_g", section, {"pretrain_network_g": "none.safetensors"}, must_load=True)


@pytest.mark.usefixtures("needs_basicsr")
def test_an_option_file_may_name_published_weights(assets):
    from converse_basicsr.checks.networks import check_network

    paths = {"pretrain_network_g": "conversenet", "param_key_g": None}
    assert check_network("network_g", {"type": "ConverseNet"}, paths, must_load=True).in_channels == 3
    with pytest.raises(UserError, match="conversenet does not fit ConverseNet: 14 keys missing"):
        check_network("network_g", {"type": "ConverseNet", "num_block": 8}, paths, must_load=True)
