"""Running an ONNX file by onnxruntime, as a module like any other network."""

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UserError, plain
from ..extras import install
from .description import Description

SUFFIX = ".onnx"


def load_onnx(path: str | os.PathLike, threads: int | None = None) -> "OnnxNetwork":
    """The network of a file that `export_onnx` wrote, with attributes in_channels and scale, on the CPU.

    Args:
        path: the file.
        threads: that compute; None: as torch.

    Raises:
        UserError: onnxruntime is not installed, or the file is missing, damaged or written by something else.
    """
    runtime = import_onnxruntime(f"{plain(path)}: an ONNX file")
    if not Path(path).is_file():
        raise UserError(f"no such file: {plain(path)}")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 3  # its warnings are about its own optimiser
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common type
        raise UserError(f"{plain(path)}: onnxruntime cannot read it: {str(error).splitlines()[0]}") from error
    described = Description.from_metadata(session.get_modelmeta().custom_metadata_map, plain(path))
    return (OnnxKernelNetwork if described.psf_size else OnnxNetwork)(session, described, plain(path))


def import_onnxruntime(purpose: str):
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(f"{purpose} needs onnxruntime: {install('onnx')}") from error
    return onnxruntime


class OnnxNetwork(nn.Module):
    """A network that onnxruntime computes: (N, in_channels, h, w) -> (N, C', scale*h, scale*w), without gradients.

    Attributes:
        size: (H, W) of all images, or None for any size.

    Args:
        session: of onnxruntime.
        described: what the file says.
        name: of the file, for messages.
    """

    def __init__(self, session, described: Description, name: str):
        super().__init__()
        self.session = session
        self.name = name
        self.network_type = described.type
        self.in_channels = described.in_channels
        self.scale = described.scale
        self.size = described.fixed_size
        self.least_side = described.least_side
        self.width = described.width
        self.dtype = torch.float16 if "float16" in session.get_inputs()[0].type else torch.float32

    def forward(self, lq: Tensor) -> Tensor:
        return self._run(lq)

    def _run(self, *inputs: Tensor) -> Tensor:
        lq = inputs[0]
        if lq.dim() != 4 or lq.shape[1] != self.in_channels:
            raise UserError(f"{self.name} takes images of {self.in_channels} channels, got {tuple(lq.shape)}")
        if self.size not in (None, tuple(lq.shape[-2:])):
            raise UserError(self._other_size(*lq.shape[-2:]))
        if min(lq.shape[-2:]) < self.least_side:
            raise UserError(f"{self.name} takes images of {self.least_side} pixels a side and more")
        names = [each.name for each in self.session.get_inputs()]
        arrays = [each.detach().to("cpu", self.dtype).contiguous().numpy() for each in inputs]
        [result] = self.session.run(None, dict(zip(names, arrays, strict=True)))
        return torch.from_numpy(result).to(lq)

    def _other_size(self, height: int, width: int) -> str:
        own = min(self.size)
        tiles = own == max(self.size) <= min(height, width)  # which all have the same size
        return (
            f"{self.name} takes images of {self.size[0]}x{self.size[1]} (height x width), got {height}x{width}; "
            f"{f'restore in tiles with --tile {own} (tile= in Python), or ' if tiles else ''}"
            f"export it with --size {height}x{width}, or with --dynamic for any size"
        )


class OnnxKernelNetwork(OnnxNetwork):
    """A network whose second input is the blur kernel, (N, 1, psf_size, psf_size)."""

    def __init__(self, session, described: Description, name: str):
        super().__init__(session, described, name)
        self.psf_size = described.psf_size

    def forward(self, lq: Tensor, kernel: Tensor, scale: int | None = None) -> Tensor:
        if scale not in (None, self.scale):
            raise UserError(
                f"{self.name} was exported for scale {self.scale}, got {scale}; export it with --scale {scale}"
            )
        expected = (lq.shape[0], 1, self.psf_size, self.psf_size)
        if tuple(kernel.shape) != expected:
            raise UserError(f"{self.name} takes a blur kernel {expected}, got {tuple(kernel.shape)}")
        return self._run(lq, kernel)
