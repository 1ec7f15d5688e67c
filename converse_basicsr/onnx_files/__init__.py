"""Networks as ONNX files: writing them, describing them in their metadata, and running them with onnxruntime."""

from .running import OnnxNetwork, load_onnx
from .writing import export_onnx

__all__ = ["OnnxNetwork", "export_onnx", "load_onnx"]
