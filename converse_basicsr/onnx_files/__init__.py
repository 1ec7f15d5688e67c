"""Networks as ONNX files: writing them, what they say about themselves, and running them by onnxruntime."""

from .running import OnnxNetwork, load_onnx
from .writing import export_onnx

__all__ = ["OnnxNetwork", "export_onnx", "load_onnx"]
