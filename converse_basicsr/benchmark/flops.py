"""FLOPs and activations of a network, counted from the operations that torch dispatches.

One multiply-add is one FLOP, so the formulas of torch.utils.flop_counter are halved.

- `flops`: real convolutions and matrix products. Normalisation, interpolation, activation functions and other
  elementwise operations are not counted.
- `flops_with_fft`: `flops` and the work on spectra. An FFT of P complex points takes 5 P log2 P real operations (the
  convention of FFTW's benchmarks), so 2.5 P log2 P multiply-adds; half of that if one side is real. A product of
  complex numbers takes 4 multiply-adds, or 2 if one of them is real. A complex matrix product takes 4 times a real one.
- `activations`: the number of values that convolutions, matrix products and FFTs return; a complex value counts twice.

Counted is a repeated evaluation on the CPU: the filters that Converse2D caches between inputs of one size are not
counted. FFTs that ducc0 computes are not dispatched by torch and not counted either (docs/cost.md).
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten
TRANSFORMS = (aten._fft_r2c, aten._fft_c2r, aten._fft_c2c)
PRODUCTS = (aten.mul, aten.div)
COMPLEX_PRODUCT = 4  # multiply-adds


def count_flops(network: nn.Module, inputs: tuple) -> dict[str, float]:
    """Evaluate a copy of a network twice on the CPU, and count the second time.

    Args:
        network: not changed.
        inputs: its positional arguments: tensors, and numbers such as a scale.

    Returns:
        flops, flops_with_fft and activations, for the whole batch.
    """
    network = copy.deepcopy(network).cpu().eval()
    inputs = tuple(x.detach().cpu() if isinstance(x, Tensor) else x for x in inputs)
    with torch.no_grad():
        network(*inputs)  # fills the caches
        with _Counter() as counter:
            network(*inputs)
    return {
        "flops": counter.real,
        "flops_with_fft": counter.real + counter.spectral,
        "activations": counter.activations,
    }


class _Counter(TorchDispatchMode):
    """Adds up what the dispatched operations cost."""

    def __init__(self):
        super().__init__()
        self.real = self.spectral = self.activations = 0.0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        operation = getattr(aten, function.overloadpacket.__name__.removesuffix("_"), None)  # baddbmm_ as baddbmm
        if operation in PRODUCTS:
            self.spectral += _product_flops(*args[:2], out)
        elif operation in TRANSFORMS:
            self.spectral += _fft_flops(args[0], out, args[1])
            self._activate(out)
        elif operation in flop_registry:
            flops = flop_registry[operation](*args, **kwargs, out_val=out) / 2
            if out.is_complex():
                self.spectral += COMPLEX_PRODUCT * flops
            else:
                self.real += flops
            self._activate(out)
        return out

    def _activate(self, out: Tensor) -> None:
        self.activations += out.numel() * (2 if out.is_complex() else 1)


def _fft_flops(x: Tensor, out: Tensor, dims: list[int]) -> float:
    """2.5 P log2 P per transform of P points; half if one side is real. The real side has all points."""
    shape = [max(sides) for sides in zip(x.shape, out.shape, strict=True)]
    points = math.prod(shape[dim] for dim in dims)
    share = 1 if x.is_complex() and out.is_complex() else 0.5
    return share * 2.5 * math.prod(shape) * math.log2(points)


def _product_flops(x: Tensor, y: Tensor | complex, out: Tensor) -> int:
    """Of an elementwise product or quotient; none if both factors are real."""
    complex_factors = sum(one.is_complex() if isinstance(one, Tensor) else isinstance(one, complex) for one in (x, y))
    return out.numel() * (0, COMPLEX_PRODUCT // 2, COMPLEX_PRODUCT)[complex_factors]
