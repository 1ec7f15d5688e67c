"""ONNX files: written, described, run by onnxruntime as torch runs the network, and used by basicsr restore."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import onnx
import onnxruntime

from converse_basicsr import Converse2D, load_network, restore
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.files.checkpoint import save_file
from converse_basicsr.networks import ConverseDnCNN, ConverseNet, ConverseSRResNet, ConverseUSRNet, DeconvolutionResNet
from converse_basicsr.onnx_files import export_onnx, load_onnx
from converse_basicsr.ops.dispatch import transforms

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's exporters
TINY = {"num_feat": 4, "num_block": 1}
EXTRAS = ("smooth_prior", "adapt_to_noise")
NETWORKS = {
    "dncnn": (ConverseDnCNN, TINY),
    "srresnet": (ConverseSRResNet, {**TINY, "upscale": 2}),
    "conversenet": (ConverseNet, {**TINY, "num_iterations": 2}),
    "usrnet": (ConverseUSRNet, {**TINY, "num_iterations": 1}),
    "kernel_residual": (ConverseUSRNet, {**TINY, "num_iterations": 2, "kernel_residual": True}),
    "reuse_input": (ConverseUSRNet, {**TINY, "num_iterations": 2, "kernel_residual": True, "reuse_input": True}),
    "all_options": (
        ConverseUSRNet,
        {**TINY, "num_iterations": 2, **dict.fromkeys(("kernel_residual", "reuse_input", *EXTRAS), True)},
    ),
}
SIZES = {"fixed": [(16, 13)], "dynamic": [(16, 13), (9, 24), (31, 40)]}
PUBLISHED = ("converse_dncnn", "converse_srresnet", "conversenet", "converse_usrnet")


def built(name: str) -> nn.Module:
    """A network whose parameters are far from their initial values."""
    torch.manual_seed(0)
    network, options = NETWORKS[name]
    network = network(**options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def inputs_of(network: nn.Module, size: tuple[int, int], batch: int) -> list:
    """Image and, for a network that takes one, kernel."""
    torch.manual_seed(batch)
    inputs = [torch.rand(batch, network.in_channels, *size)]
    if getattr(network, "psf_size", None):
        kernel = torch.rand(batch, 1, network.psf_size, network.psf_size)
        inputs.append(kernel / kernel.sum((-2, -1), keepdim=True))
    return inputs


def assert_same(runtime, network, size, batch, scale=None, tolerance=1e-4):
    inputs = inputs_of(network, size, batch)
    with torch.no_grad():
        expected = network(*inputs, *([scale or 1] if len(inputs) > 1 else []))
    torch.testing.assert_close(runtime(*inputs), expected, rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory):
    """The file of a network by name, for any size; each is exported once."""
    folder, made = tmp_path_factory.mktemp("dynamic"), {}

    def file(name: str, scale: int | None = None):
        if (name, scale) not in made:
            made[name, scale] = folder / f"{name}{scale or ''}.onnx"
            export_onnx(built(name), made[name, scale], scale=scale, options={"type": "x", **NETWORKS[name][1]})
        return made[name, scale]

    return file


@pytest.mark.parametrize(("name", "scale"), [*((name, None) for name in NETWORKS), ("reuse_input", 2)])
def test_any_size_and_batch(name, scale, dynamic):
    runtime, network = load_onnx(dynamic(name, scale), threads=1), built(name)
    for batch, size in enumerate(SIZES["dynamic"], start=1):
        assert_same(runtime, network, size, batch, scale)


FIXED = [("dncnn", None), ("srresnet", None), ("conversenet", None), ("kernel_residual", 2), ("reuse_input", None)]


@pytest.mark.parametrize(("name", "scale"), FIXED)
def test_fixed_size_and_any_batch(name, scale, tmp_path):
    network = built(name)
    described = export_onnx(network, tmp_path / "net.onnx", (16, 13), scale)
    runtime = load_onnx(tmp_path / "net.onnx", threads=1)
    assert described.size == "16x13" and runtime.scale == (scale or network.scale)
    for batch in (1, 2, 3):
        assert_same(runtime, network, (16, 13), batch, scale)
    with pytest.raises(UserError, match=r"net\.onnx takes images of 16x13 \(height x width\), got 13x16; export"):
        runtime(*inputs_of(network, (13, 16), 1))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights(name, assets, tmp_path):
    network = load_network(assets / "weights" / f"{name}.pth")
    export_onnx(network, tmp_path / "net.onnx")
    assert_same(load_onnx(tmp_path / "net.onnx"), network, (24, 21), 1)


def test_layers_in_a_model_exported_by_torch_alone(tmp_path):
    torch.manual_seed(0)
    layers = [
        Converse2D(4, 4, 5, padding=4, padding_mode="replicate"),
        Converse2D(4, 4, 2, 2, padding_mode="circular"),
        Converse2D(4, 4, 3, 3, padding_mode="reflect"),
        Converse2D(4, 4, 5, 2, padding_mode="constant", prior="bicubic"),
    ]
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), *layers, nn.Conv2d(4, 2, 1)).eval()
    x = torch.rand(2, 3, 7, 6)
    program = torch.onnx.export(model, (x,), dynamo=True, verbose=False)
    operations = {node.op_type for node in program.model_proto.graph.node}
    assert not operations & {"DFT", "STFT", "If", "Loop"}
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    [found] = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(found), model(x), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("name", "kind"), [("k5", "dynamic"), ("k5s2", "dynamic"), ("k3s3", "dynamic")])
@pytest.mark.parametrize("mode", ["circular", "reflect"])
def test_a_layer_for_any_size(name, kind, mode, tmp_path):
    options = {"k5": (5, 1), "k5s2": (5, 2), "k3s3": (3, 3)}[name]
    torch.manual_seed(0)
    layer = Converse2D(4, 4, *options, padding=3, padding_mode=mode, eps=1e-2).eval()
    export_onnx(layer, tmp_path / "layer.onnx")
    runtime = load_onnx(tmp_path / "layer.onnx", threads=1)
    for size in SIZES[kind]:
        assert_same(runtime, layer, size, 2)


def test_the_description(dynamic):
    runtime = load_onnx(dynamic("usrnet"))
    metadata = runtime.session.get_modelmeta().custom_metadata_map
    assert {"scale": "1", "in_channels": "3", "psf_size": "7", "size": "dynamic"}.items() <= metadata.items()
    assert metadata["type"] == "ConverseUSRNet" and '"num_block": 1' in metadata["options"]
    assert [each.name for each in runtime.session.get_inputs()] == ["lq", "kernel"]


def test_baked_filters_make_a_larger_file_with_equal_results(tmp_path):
    network = built("dncnn")
    for name, bake in (("small", False), ("baked", True)):
        export_onnx(network, tmp_path / f"{name}.onnx", (128, 128), bake=bake)
        assert_same(load_onnx(tmp_path / f"{name}.onnx"), network, (128, 128), 1)
    small, baked = (tmp_path / f"{name}.onnx" for name in ("small", "baked"))
    assert baked.stat().st_size > small.stat().st_size
    assert len(onnx.load(baked).graph.node) < len(onnx.load(small).graph.node)


def test_half_precision(tmp_path):
    network = built("dncnn").train()
    export_onnx(network, tmp_path / "half.onnx", (16, 16), half=True)
    assert network.training and {each.dtype for each in network.parameters()} == {torch.float32}
    runtime = load_onnx(tmp_path / "half.onnx")
    assert runtime.session.get_inputs()[0].type == "tensor(float16)"
    assert_same(runtime, built("dncnn"), (16, 16), 1, tolerance=2e-2)


def test_wrong_inputs_are_refused_by_name(dynamic):
    runtime = load_onnx(dynamic("usrnet"))
    lq, kernel = inputs_of(runtime, (12, 12), 2)
    with pytest.raises(UserError, match=r"usrnet\.onnx takes images of 3 channels, got \(2, 1, 12, 12\)"):
        runtime(lq[:, :1], kernel)
    with pytest.raises(UserError, match=r"takes a blur kernel \(2, 1, 7, 7\), got \(2, 1, 5, 5\)"):
        runtime(lq, kernel[..., :5, :5])
    with pytest.raises(UserError, match="was exported for scale 1, got 2; export it with --scale 2"):
        runtime(lq, kernel, 2)
    with pytest.raises(UserError, match=r"dncnn\.onnx takes images of 6 pixels a side and more"):
        load_onnx(dynamic("dncnn"))(torch.rand(1, 1, 4, 9))


@pytest.fixture
def place(in_tmp):
    """The current directory, with weights and a picture."""
    for name in ("srresnet", "usrnet"):
        network, options = NETWORKS[name]
        save_file(
            {"params": built(name).state_dict(), "network_options": {"type": network.__name__, **options}},
            f"{name}.pth",
        )
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 28, 3), dtype=np.uint8)).save("picture.png")
    return in_tmp


def run(command: str, capsys, code: int = 0) -> str:
    found = main(command.split())
    printed = "".join(capsys.readouterr())
    assert found == code, printed
    return printed


def restored(folder: str) -> np.ndarray:
    return np.asarray(Image.open(f"{folder}/picture.png")).astype(int)


def test_restore_with_an_exported_network(place, capsys):
    printed = run("export -m srresnet.pth -o net.onnx", capsys)
    assert "ConverseSRResNet x2 (1 block of 4 channels)" in printed and "wrote net.onnx: 0." in printed
    assert "onnxruntime differs from torch by at most" in printed
    printed = run("restore picture.png -m net.onnx -o by_onnx", capsys)
    assert printed.startswith("ConverseSRResNet x2, for images of any size, by onnxruntime\n")
    run("restore picture.png -m srresnet.pth -o by_torch", capsys)
    assert abs(restored("by_onnx") - restored("by_torch")).max() <= 1
    run("restore picture.png -m net.onnx -o tiles --tile 16 --overlap 4 --x8", capsys)
    for option, message in (("--amp", "amp: has no effect on an ONNX file"),
                            ("--opt x.yml", "an ONNX file has its network; leave --opt"),
                            ("--scale 3", "has scale 2, got 3")):  # fmt: skip
        assert message in run(f"restore picture.png -m net.onnx -o other {option}", capsys, code=2)


def test_restore_with_a_fixed_size_and_a_kernel(place, capsys):
    run("export -m usrnet.pth -o net.onnx --size 20x28 --scale 2", capsys)
    run("restore picture.png -m net.onnx -o by_onnx --kernel gaussian:1.2", capsys)
    run("restore picture.png -m usrnet.pth -o by_torch --kernel gaussian:1.2 --scale 2 --borders circular", capsys)
    assert abs(restored("by_onnx") - restored("by_torch")).max() <= 1
    Image.new("RGB", (30, 20)).save("other.png")
    printed = run("restore other.png -m net.onnx --kernel gaussian:1.2", capsys, code=1)
    assert "net.onnx takes images of 20x28 (height x width), got 20x30; export it with --size 20x30, or" in printed
    printed = run("restore picture.png -m net.onnx --kernel gaussian:1.2 --x8", capsys, code=2)
    assert "x8: transposes images, so it needs a square size; net.onnx takes 20x28" in printed


def test_restore_in_tiles_of_the_fixed_size(tmp_path):
    network, image = built("dncnn"), torch.rand(1, 20, 28)
    export_onnx(network, tmp_path / "net.onnx", (16, 16))
    runtime = load_onnx(tmp_path / "net.onnx")
    with pytest.raises(UserError, match=r"takes images of 16x16 \(height x width\), got 20x28; restore in tiles with "):
        restore(image, runtime)
    tiles = {"tile": 16, "overlap": 4}
    with pytest.warns(UserWarning, match="in 4 tiles of 16"):
        torch.testing.assert_close(restore(image, runtime, **tiles), restore(image, network, **tiles))
    with pytest.raises(UserError, match="got 16x12; export it with --size 16x12, or"):  # narrower than a tile
        restore(image[..., :12], runtime, **tiles)


@pytest.mark.parametrize(("options", "message"), [
    ("-o net.pth", "net.pth: the name must end in .onnx"),
    ("-o there.onnx", "there.onnx exists; --overwrite replaces it"),
    ("-o no/net.onnx", "no such folder: no"),
    ("-o net.onnx --size 20", "size: must be HEIGHTxWIDTH, such as 64x96, got '20'"),
    ("-o net.onnx --opset 9", "opset: must be from 18 to 23, got 9"),
    ("-o net.onnx --opset 21", "opset: a file for any size has 20 at most, got 21; give --size HxW too"),
    ("-o net.onnx --bake", "bake: filters depend on the size; give --size HxW too"),
    ("-o net.onnx --scale 3", "scale: ConverseSRResNet has scale 2, got 3"),
])  # fmt: skip
def test_wrong_options_are_refused(options, message, place, capsys):
    (place / "there.onnx").write_bytes(b"")
    assert message in run(f"export -m srresnet.pth {options}", capsys, code=2)
    assert not (place / "net.onnx").exists()


def test_files_that_cannot_be_run_are_refused(place, capsys, monkeypatch):
    (place / "damaged.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"damaged\.onnx: onnxruntime cannot read it"):
        load_onnx("damaged.onnx")
    program = torch.onnx.export(nn.ReLU(), (torch.rand(1, 3, 4, 4),), dynamo=True, verbose=False)
    onnx.save(program.model_proto, "foreign.onnx")
    with pytest.raises(UserError, match=r"foreign\.onnx: not written by basicsr export"):
        load_onnx("foreign.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"needs onnxruntime: pip install -e '?/.*\[onnx\]"):
        load_onnx("damaged.onnx")
    assert "not compared with torch: this needs onnxruntime" in run("export -m srresnet.pth -o a.onnx", capsys)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert "export needs onnxscript" in run("export -m srresnet.pth -o net.onnx", capsys, code=2)


def test_a_network_for_kernels_of_any_size_is_refused(tmp_path):
    with pytest.raises(UserError, match="DeconvolutionResNet takes blur kernels of any size"):
        export_onnx(DeconvolutionResNet(num_feat=4, num_block=1), tmp_path / "net.onnx")


def test_fast_size_needs_a_fixed_size(tmp_path):
    layer = Converse2D(2, 2, 3, fast_size=True).eval()
    with pytest.raises(UserError, match="fast_size needs to know the size"):
        export_onnx(layer, tmp_path / "layer.onnx")


@pytest.mark.parametrize("kind", ["real", "fft"])
def test_torch_export_has_the_results_of_the_network(kind):
    network = built("dncnn")
    x = torch.rand(2, 1, 12, 10)
    with transforms(kind):
        program = torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    graphs = [each.graph for each in program.graph_module.modules() if isinstance(each, torch.fx.GraphModule)]
    values = [node.meta.get("val") for graph in graphs for node in graph.nodes]  # autocast makes graphs of their own
    complex_values = any(isinstance(value, torch.Tensor) and value.is_complex() for value in values)
    assert complex_values == (kind == "fft")
    with torch.no_grad():
        for batch in (1, 2, 3):
            x = torch.rand(batch, 1, 12, 10)
            torch.testing.assert_close(program.module()(x), network(x), rtol=0, atol=1e-5)


def test_torchscript_trace_takes_any_batch_and_refuses_another_size():
    network = built("dncnn")
    traced = torch.jit.trace(network, torch.rand(2, 1, 12, 10), check_trace=False)
    with torch.no_grad():
        for batch in (1, 2, 3):
            x = torch.rand(batch, 1, 12, 10)
            torch.testing.assert_close(traced(x), network(x), rtol=0, atol=1e-5)
        with pytest.raises(RuntimeError):
            traced(torch.rand(2, 1, 14, 10))
