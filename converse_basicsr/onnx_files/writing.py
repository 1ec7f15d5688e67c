"""Writing a network as an ONNX file."""

import copy
import os
import warnings
from contextlib import redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UserError, plain
from ..extras import install
from ..files.atomic import replacing
from .description import Description, describe, takes_scale

OPSETS = range(18, 24)
DEFAULT_OPSET = 18
_NEWEST_TRACED = 20  # opset of torch's exporter for any size
FOLDED = 16384  # elements of a constant that is computed here without `bake`; larger ones when the file is loaded
_TRACED = (40, 48)  # size of the image that a graph for any size is recorded with
_LARGEST = 2 << 30  # bytes of a file without external data


def export_onnx(
    network: nn.Module,
    path: str | os.PathLike,
    size: tuple[int, int] | None = None,
    scale: int | None = None,
    opset: int = DEFAULT_OPSET,
    half: bool = False,
    bake: bool = False,
    options: dict | None = None,
    overwrite: bool = False,
) -> Description:
    """Write a network as an ONNX file with inputs lq (N, C, H, W) and, if it takes one, kernel (N, 1, k, k).

    DFTs are products of real matrices in it: it has no complex numbers and no DFT nodes. The output is named sr.

    Args:
        network: a module (N, C, h, w) -> (N, C', scale*h, scale*w), on the CPU. It is not changed.
        path: the new file.
        size: (H, W) of all images; None: any size. A fixed size needs fewer operations.
        scale: for a network whose forward takes it.
        opset: of ONNX, 18 to 23; for any size 20 at most.
        half: weights, input and output in float16.
        bake: store the filters of a fixed size instead of computing them when the file is loaded: a larger file.
        options: constructor options, for the description.
        overwrite: replace an existing file.

    Returns:
        The description that the file carries.

    Raises:
        UserError: an argument does not fit, a package is missing, or torch cannot export the network.
    """
    path = Path(path)
    _check(path, size, opset, bake, overwrite)
    scale = _scale_of(network, scale)
    described = describe(network, size, scale, options)
    dtype = torch.float16 if half else torch.float32
    module = copy.deepcopy(network).eval().to(dtype)
    if takes_scale(network):
        module = _Fixed(module, scale).eval()
    inputs = example_inputs(described, dtype)
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")  # of torch, about its exporters
        try:
            model = (
                _record_any_size(module, inputs, opset) if size is None else _record_size(module, inputs, opset, bake)
            )
        except Exception as error:  # torch's exporters have no common exception type
            raise UserError(f"torch cannot export {described.type}: {_reason(error)}") from error
    _save(model, described, path)
    return described


def example_inputs(described: Description, dtype: torch.dtype = torch.float32, batch: int = 2) -> tuple[Tensor, ...]:
    """Random images, and kernels of sum 1, that fit the file."""
    generator = torch.Generator().manual_seed(0)
    height, width = described.fixed_size or (max(side, described.least_side) for side in _TRACED)
    inputs = [torch.rand(batch, described.in_channels, height, width, generator=generator)]
    if described.psf_size:
        kernel = torch.rand(batch, 1, described.psf_size, described.psf_size, generator=generator)
        inputs.append(kernel / kernel.sum((-2, -1), keepdim=True))
    return tuple(each.to(dtype) for each in inputs)


class _Fixed(nn.Module):
    """A network with its argument scale fixed."""

    def __init__(self, network: nn.Module, scale: int):
        super().__init__()
        self.network = network
        self.scale = scale

    def forward(self, lq: Tensor, kernel: Tensor) -> Tensor:
        return self.network(lq, kernel, self.scale)


def _record_size(module: nn.Module, inputs: tuple[Tensor, ...], opset: int, bake: bool):
    """By torch.export: sizes are numbers, so that matrices are constants. The batch is a symbol."""
    from onnxscript import optimizer

    batch = torch.export.Dim("batch")
    program = torch.onnx.export(
        module,
        inputs,
        dynamo=True,
        opset_version=opset,
        input_names=_names(inputs),
        output_names=["sr"],
        dynamic_shapes=tuple({0: batch} for _ in inputs),
        optimize=False,
        verbose=False,
    )
    limit = _LARGEST if bake else FOLDED
    return optimizer.optimize(program.model_proto, input_size_limit=limit, output_size_limit=limit)


def _record_any_size(module: nn.Module, inputs: tuple[Tensor, ...], opset: int):
    """By torch.jit.trace: torch.export's reasoning about symbolic shapes takes minutes for these networks."""
    import onnx

    names, file = _names(inputs), BytesIO()
    axes = {"lq": {0: "batch", 2: "height", 3: "width"}, "kernel": {0: "batch"}}
    axes = {name: axes[name] for name in names} | {"sr": {0: "batch", 2: "out_height", 3: "out_width"}}
    torch.onnx.export(
        module,
        inputs,
        file,
        dynamo=False,
        opset_version=opset,
        input_names=names,
        output_names=["sr"],
        dynamic_axes=axes,
    )
    return onnx.load_from_string(file.getvalue())


def _names(inputs: tuple[Tensor, ...]) -> list[str]:
    return ["lq", "kernel"][: len(inputs)]


def _save(model, described: Description, path: Path) -> None:
    import onnx

    for key, value in described.to_metadata().items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    with replacing(path) as partial:
        partial.write_bytes(model.SerializeToString())


def _scale_of(network: nn.Module, scale: int | None) -> int:
    own = getattr(network, "scale", 1)
    if takes_scale(network):
        return scale or own
    if scale not in (None, own):
        raise UserError(f"scale: {type(network).__name__} has scale {own}, got {scale}")
    return own


def _check(path: Path, size: tuple[int, int] | None, opset: int, bake: bool, overwrite: bool) -> None:
    for package in ("onnx", "onnxscript"):
        try:
            __import__(package)
        except ImportError as error:
            raise UserError(f"export needs {package}: {install('onnx')}") from error
    if path.suffix.lower() != ".onnx":
        raise UserError(f"{plain(path)}: the name must end in .onnx")
    if path.exists() and not overwrite:
        raise UserError(f"{plain(path)} exists; --overwrite replaces it")
    if not path.parent.is_dir():
        raise UserError(f"no such folder: {plain(path.parent)}")
    if opset not in OPSETS:
        raise UserError(f"opset: must be from {OPSETS.start} to {OPSETS.stop - 1}, got {opset}")
    if size is None and opset > _NEWEST_TRACED:
        raise UserError(f"opset: a file for any size has {_NEWEST_TRACED} at most, got {opset}; give --size HxW too")
    if bake and size is None:
        raise UserError("bake: filters depend on the size; give --size HxW too")


def _reason(error: Exception) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
