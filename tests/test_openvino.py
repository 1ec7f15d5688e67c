"""Exported files in OpenVINO. The tests do not require it, as it is large: they skip where it is not installed."""

import pytest
import torch
from test_onnx import built, inputs_of

from converse_basicsr import load_network
from converse_basicsr.onnx_files import export_onnx

openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install openvino")
pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's exporters
FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}  # some processors would compute in bfloat16


def assert_same(file, network, scale, shapes):
    model = openvino.Core().compile_model(file, "CPU", FLOAT32)
    for batch, size in shapes:
        inputs = inputs_of(network, size, batch)
        with torch.no_grad():
            expected = network(*inputs, *([scale or 1] if len(inputs) > 1 else []))
        found = torch.from_numpy(model([each.numpy() for each in inputs])[0])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "scale"), [("dncnn", None), ("srresnet", None), ("conversenet", None), ("reuse_input", 2)]
)
def test_any_size_and_batch(name, scale, tmp_path):
    network = built(name)
    export_onnx(network, tmp_path / "net.onnx", scale=scale)
    assert_same(tmp_path / "net.onnx", network, scale, [(1, (16, 13)), (2, (9, 24)), (1, (31, 40))])


def test_a_fixed_size_and_any_batch(tmp_path):
    network = built("dncnn")
    export_onnx(network, tmp_path / "net.onnx", (16, 13))
    assert_same(tmp_path / "net.onnx", network, None, [(1, (16, 13)), (2, (16, 13))])


def test_published_weights(assets, tmp_path):
    network = load_network(assets / "weights" / "converse_dncnn.pth")
    export_onnx(network, tmp_path / "net.onnx")
    assert_same(tmp_path / "net.onnx", network, None, [(1, (64, 64))])
