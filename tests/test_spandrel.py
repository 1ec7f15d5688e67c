"""The released spandrel with our networks: its loader, its size rule, and ComfyUI's way of calling it."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import REPOSITORY

from converse_basicsr import networks
from converse_basicsr.errors import UserError
from converse_basicsr.files.safetensors_file import save_safetensors
from converse_basicsr.weights.conversion import convert

if importlib.util.find_spec("spandrel") is None:
    pytest.skip("spandrel is not installed", allow_module_level=True)

import converse_basicsr.spandrel as ours  # first: it prepares torchvision

from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelLoader, ModelTiling, UnsupportedDtypeError  # isort: skip

NAMES = {"converse_dncnn": "ConverseDnCNN", "converse_srresnet": "ConverseSRResNet", "conversenet": "ConverseNet"}
TINY = {"num_feat": 4, "num_block": 1}


@pytest.fixture(scope="module", autouse=True)
def installed():
    ours.install()


def state_dict_of(network: str, **options) -> dict:
    torch.manual_seed(0)
    tensors = getattr(networks, network)(**{**TINY, **options}).state_dict()
    return {name: value + 0.1 * torch.randn_like(value) for name, value in tensors.items()}


def test_installing_twice_adds_nothing():
    count = len(MAIN_REGISTRY)
    assert ours.install() == [] and len(MAIN_REGISTRY) == count
    order = [support.architecture.id for support in MAIN_REGISTRY.architectures("detection")]
    assert all(order.index(name) < order.index("SCUNet") for name in NAMES.values())


@pytest.mark.parametrize("name", NAMES)
def test_published_files_give_the_golden_output(assets, golden, name):
    model = ModelLoader().load_from_file(assets / f"weights/{name}.pth")
    assert isinstance(model, ImageModelDescriptor) and model.architecture.id == NAMES[name]
    tensors = golden(name)
    with torch.no_grad():
        assert (model(tensors["x"].float()) - tensors["y"].clamp(0, 1)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("name", "purpose", "scale", "channels", "minimum", "tags"),
    [
        ("converse_dncnn", "Restoration", 1, 1, 6, ["64nf", "20nb"]),
        ("converse_srresnet", "SR", 4, 3, 1, ["64nf", "16nb"]),
        ("conversenet", "Restoration", 1, 3, 2, ["64nf", "7nb"]),
    ],
)
def test_what_spandrel_is_told(assets, name, purpose, scale, channels, minimum, tags):
    model = ModelLoader().load_from_file(assets / f"weights/{name}.pth")
    assert (model.purpose, model.scale, model.input_channels, model.output_channels, model.tags, model.tiling) == (
        *(purpose, scale, channels, channels, tags),
        ModelTiling.SUPPORTED,
    )
    assert (model.size_requirements.minimum, model.size_requirements.multiple_of) == (minimum, 1)


SIZES = [
    ("ConverseDnCNN", {"kernel_size": 3}),
    ("ConverseDnCNN", {"kernel_size": 5, "padding_mode": "reflect"}),
    ("ConverseNet", {"kernel_size": 3, "padding_mode": "constant"}),
    ("ConverseNet", {"kernel_size": 3, "padding": 4}),
    ("ConverseSRResNet", {"kernel_size": 3}),
    ("ConverseSRResNet", {"kernel_size": 3, "padding_mode": "circular", "upscale": 2}),
    ("ConverseDnCNN", {"kernel_size": 4, "spatial_op": "conv"}),
]


@pytest.mark.parametrize(("network", "options"), SIZES, ids=str)
def test_size_requirements_are_needed_and_are_enough(tmp_path, network, options):
    """As spandrel's own assert_size_requirements: the model runs at the sizes that satisfy them, and fails below."""
    section = {"type": network, **TINY, **options}
    save_safetensors(state_dict_of(network, **options), section, tmp_path / "net.safetensors")
    model = ours.load(tmp_path / "net.safetensors")
    smallest = model.size_requirements.minimum
    channels = model.input_channels

    def output_size(height: int, width: int) -> tuple[int, ...]:
        with torch.no_grad():
            return tuple(model.model(torch.rand(1, channels, height, width)).shape[2:])

    for height, width in ((smallest, smallest), (smallest, smallest + 3), (smallest + 1, smallest)):
        assert output_size(height, width) == (model.scale * height, model.scale * width)
        assert model.size_requirements.check(width, height)
    if smallest > 1:
        for size in ((smallest - 1, 20), (20, smallest - 1)):
            with pytest.raises((ValueError, RuntimeError)):
                output_size(*size)
    assert model(torch.rand(1, channels, 1, 1)).shape[2:] == (model.scale, model.scale)  # spandrel pads


def test_options_reach_spandrel_only_by_their_tensor(in_tmp):
    section = {"type": "ConverseNet", **TINY, "kernel_size": 3, "num_iterations": 2, "padding_mode": "replicate"}
    options = {name: value for name, value in section.items() if name != "type"}
    tensors = state_dict_of("ConverseNet", **options)
    torch.save({"params": tensors, "network_options": section}, "net.pth")
    convert("net.pth", "plain.safetensors")
    convert("net.pth", "told.safetensors", for_spandrel=True)
    network = networks.ConverseNet(**options)
    network.load_state_dict(tensors)
    x = torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        expected = network(x).clamp(0, 1)
    assert torch.equal(ModelLoader().load_from_file("told.safetensors")(x), expected)
    assert torch.equal(ours.load("net.pth")(x), expected)  # reads what spandrel leaves out
    for file in ("net.pth", "plain.safetensors"):
        model = ModelLoader().load_from_file(file)
        assert model.model.num_iterations == 5 and not torch.equal(model(x), expected)  # as published


def test_a_wrong_tensor_of_options_is_named():
    text = b'{"type": "ConverseNet", "num_feat": 9}'
    tensors = state_dict_of("ConverseNet") | {"network_options": torch.frombuffer(bytearray(text), dtype=torch.uint8)}
    with pytest.raises(UserError, match="its tensor network_options says num_feat 9, but its tensors say 4"):
        ModelLoader().load_from_state_dict(tensors)


def test_what_has_no_place_in_spandrel_is_refused(tmp_path):
    torch.save(state_dict_of("ConverseUSRNet"), tmp_path / "net.pth")
    with pytest.raises(UserError, match="only ConverseDnCNN, ConverseSRResNet, ConverseNet are for spandrel, this is"):
        ours.load(tmp_path / "net.pth")


@pytest.mark.parametrize("name", ["converse_dncnn", "converse_srresnet"])
def test_half_precision_is_close(assets, golden, name):
    model = ModelLoader().load_from_file(assets / f"weights/{name}.pth")
    x = golden(name)["x"].float()[..., :24, :24]
    expected = model(x)
    half = model.half()(x.half()).float()
    assert half.isfinite().all() and (half - expected).abs().mean() < 1 / 255 / 4
    with pytest.raises(UnsupportedDtypeError):
        model.bfloat16()


@pytest.fixture
def comfyui_node(tmp_path):
    """The folder, copied and imported as ComfyUI does it with custom_nodes."""
    folder = tmp_path / "custom_nodes/converse_basicsr"
    shutil.copytree(REPOSITORY / "integrations/comfyui", folder, ignore=shutil.ignore_patterns("__pycache__"))
    spec = importlib.util.spec_from_file_location(str(folder), folder / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[str(folder)] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[str(folder)]


@pytest.mark.parametrize("name", NAMES)
def test_comfyui_upscales_rgb_with_every_network(assets, comfyui_node, name):
    """Its nodes UpscaleModelLoader and ImageUpscaleWithModel: a state dict, and images of three channels."""
    assert comfyui_node.NODE_CLASS_MAPPINGS == {}
    tensors = torch.load(assets / f"weights/{name}.pth", weights_only=True)
    model = ModelLoader().load_from_state_dict(tensors).eval()
    image = torch.rand(1, 24, 20, 3, generator=torch.Generator().manual_seed(0))
    restored = model(image.movedim(-1, -3))
    assert restored.shape == (1, 3, 24 * model.scale, 20 * model.scale)
    if model.input_channels == 1:
        channels = [model(image[..., [channel]].movedim(-1, -3)) for channel in range(3)]
        torch.testing.assert_close(restored, torch.cat(channels, 1))


def test_the_comfyui_folder_says_what_is_missing():
    code = "import sys; sys.modules['converse_basicsr'] = None; import runpy; runpy.run_path(sys.argv[1])"
    file = REPOSITORY / "integrations/comfyui/__init__.py"
    result = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True)
    assert "README.md beside this file says what to install into ComfyUI's Python" in result.stderr.splitlines()[-1]


def test_it_works_where_torchvision_cannot_load_its_operators(tmp_path):
    """A torchvision whose library is damaged, first in the path: the patch declares its operators."""
    package = Path(importlib.util.find_spec("torchvision").origin).parent
    copy = tmp_path / "torchvision"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so*"))
    for library in package.glob("*.so"):
        (copy / library.name).write_bytes(b"not a library")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import converse_basicsr.spandrel as ours; print(len(ours.install()))\n"
        "import torchvision; print(torchvision.__file__.startswith(sys.argv[1]))"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert result.stdout.split() == ["3", "True"], result.stderr
