"""FLOPs and activations of a network, by mmengine's analyzers and what they lack for Fourier transforms.

The convention, everywhere one multiply-add = one FLOP as mmengine counts:

- `flops` is what the usual counters give: convolutions, matrix products, normalisation, interpolation. Activation
  functions, sums and elementwise products are not counted, nor is anything complex.
- `flops_with_fft` adds the work on spectra. An FFT of P complex points is taken for 5 P log2 P real operations (the
  convention of FFTW's benchmarks), that is 2.5 P log2 P multiply-adds; of real signals half of that. A product of
  complex numbers is 4 multiply-adds, with a real number 2. A complex matrix product is 4 times a real one.
- `activations` is the number of values that convolutions, matrix products and FFTs give, a complex one counted twice.

Counted is evaluation on a CPU, whatever device the network is on, and repeated evaluation: Converse2D's filters are
kept between inputs of one size, so building them is not counted (but for a psf per sample, as in Converse-USRNet, and
for filters above the size that is kept). An even batch shares complex FFTs in pairs, and is counted as such.
"""

import copy
import math
from collections import Counter
from types import ModuleType

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..layers import Converse2D
from ..layers.kept_filter import KeptFilter

SPECTRAL = "spectral"  # the key under which work on spectra is counted
TRANSFORMS = tuple(f"aten::fft_{kind}{rank}" for kind in ("fft", "ifft", "rfft", "irfft") for rank in ("", "2", "n"))
PRODUCTS = ("aten::mul", "aten::mul_", "aten::div", "aten::div_")


def count_flops(network: nn.Module, inputs: tuple) -> dict[str, float]:
    """Trace a network once for each of the counts.

    Args:
        network: left as it is.
        inputs: its positional arguments: tensors, and numbers such as a scale.

    Returns:
        flops, flops_with_fft and activations, for the whole batch.

    Raises:
        UserError: mmengine is not installed.
    """
    analysis = _load_analysis()
    traced = _Traced(network, inputs)
    tensors = tuple(x.detach().cpu() for x in inputs if isinstance(x, Tensor))
    with torch.no_grad():
        traced(*tensors)  # the filters are kept from now on
        flops = _quiet(analysis.FlopAnalyzer(traced, tensors))
        flops.set_op_handle(**dict.fromkeys(TRANSFORMS, _fft_flops), **dict.fromkeys(PRODUCTS, _product_flops))
        flops.set_op_handle("aten::matmul", _matmul_flops, "aten::_convolution_mode", _same_convolution_flops)
        activations = _quiet(analysis.ActivationAnalyzer(traced, tensors))
        counted = (*TRANSFORMS, "aten::matmul", "aten::_convolution_mode")
        activations.set_op_handle(**dict.fromkeys(counted, _values))
        total, spectral = flops.total(), flops.by_operator()[SPECTRAL]
        return {
            "flops": float(total - spectral),
            "flops_with_fft": float(total),
            "activations": float(activations.total()),
        }


def _load_analysis() -> ModuleType:
    try:
        import mmengine.analysis
    except ImportError as error:
        raise UserError("FLOPs are counted by mmengine: pip install converse_basicsr[benchmark]") from error
    return mmengine.analysis


def _quiet(analyzer):
    """Without warnings about elementwise operations, and of the trace, which serves for these inputs alone."""
    return analyzer.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")


class _Traced(nn.Module):
    """A copy of a network, on the CPU, in evaluation, which takes those of its inputs that are tensors."""

    def __init__(self, network: nn.Module, inputs: tuple):
        super().__init__()
        self.network = copy.deepcopy(network).cpu().eval()
        self.inputs = inputs
        for module in self.network.modules():
            if isinstance(module, Converse2D):
                module.kept_filter = KeptFilter(in_traces=True)

    def forward(self, *tensors: Tensor) -> Tensor:
        given = iter(tensors)
        return self.network(*(next(given) if isinstance(x, Tensor) else x for x in self.inputs))


# --- handles of mmengine: (inputs, outputs) of an operation in the trace -> FLOPs -----------------------------------


def _shape(value: torch._C.Value) -> list[int]:
    return value.type().sizes()


def _is_complex(value: torch._C.Value) -> bool:
    return value.isCompleteTensor() and value.type().dtype().is_complex


def _fft_flops(inputs: list, outputs: list) -> Counter:
    """2.5 P log2 P for each transform; half if either side is real. A half spectrum stands for the whole one."""
    y, x = inputs[0], outputs[0]
    shape = [max(sides) for sides in zip(_shape(y), _shape(x), strict=True)]
    points = math.prod(shape[dim] for dim in _dims(inputs[2], len(shape)))
    share = 1 if _is_complex(y) and _is_complex(x) else 0.5
    return Counter({SPECTRAL: share * 2.5 * math.prod(shape) * math.log2(points)})


def _dims(value: torch._C.Value, rank: int) -> list[int]:
    """The argument dim of a transform: a number, a list, or None for all."""
    if value.node().kind() == "prim::ListConstruct":
        return [item.toIValue() for item in value.node().inputs()]
    dim = value.toIValue()
    return list(range(rank)) if dim is None else [dim]


def _product_flops(inputs: list, outputs: list) -> Counter:
    """Complex products alone: real elementwise ones are nowhere counted."""
    each = {2: 4, 1: 2}.get(sum(map(_is_complex, inputs[:2])), 0)
    return Counter({SPECTRAL: each * math.prod(_shape(outputs[0]))} if each else {})


def _matmul_flops(inputs: list, outputs: list) -> Counter:
    """mmengine's counts the batch of the first matrix alone, and complex numbers as real ones."""
    products = math.prod(_shape(outputs[0])) * _shape(inputs[0])[-1]
    return Counter({SPECTRAL: 4 * products} if _is_complex(outputs[0]) else {"matmul": products})


def _same_convolution_flops(inputs: list, outputs: list) -> Counter:
    """A convolution with padding='same', which mmengine lacks."""
    batch, _, *size = _shape(outputs[0])
    return Counter({"conv": batch * math.prod(_shape(inputs[1])) * math.prod(size)})


def _values(inputs: list, outputs: list) -> int:
    return math.prod(_shape(outputs[0])) * (2 if _is_complex(outputs[0]) else 1)
