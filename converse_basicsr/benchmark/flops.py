"""FLOPs and activations of a network, counted from the operations that torch dispatches (docs/cost.md).

One multiply-add is one FLOP, so the formulas of torch.utils.flop_counter are halved. Counted is a repeated evaluation
on the CPU: the filters that Converse2D caches between inputs of one size are not counted.
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten
TRANSFORMS = (aten._fft_r2c, aten._fft_c2r, aten._fft_c2c)
COUNTS = ("flops", "flops_with_fft", "activations")  # what count_flops returns
PRODUCTS = (aten.mul, aten.div)
PRODUCT_FLOPS = (0, 2, 4)  # of a real number and a complex one: 2; of two complex ones: 4


def count_flops(network: nn.Module, inputs: tuple) -> dict[str, float]:
    """Evaluate a copy of a network twice on the CPU, and count the second time.

    Args:
        network: not changed.
        inputs: its positional arguments: tensors, and numbers such as a scale.

    Returns:
        flops: real convolutions and matrix products. flops_with_fft: also FFTs and complex products.
        activations: values that convolutions, matrix products and FFTs return, a complex one counted twice.
    """
    network = copy.deepcopy(network).cpu().eval()
    inputs = tuple(x.detach().cpu() if isinstance(x, Tensor) else x for x in inputs)
    with torch.no_grad():
        network(*inputs)  # fills the caches
        with _Counter() as counter:
            network(*inputs)
    flops, spectral = counter.real, counter.spectral
    return {"flops": flops, "flops_with_fft": flops + spectral, "activations": counter.activations}


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
            self.spectral += out.numel() * PRODUCT_FLOPS[sum(map(_is_complex, args[:2]))]
        elif operation in TRANSFORMS:
            self.spectral += _fft_flops(args[0], out, args[1])
        elif operation in flop_registry:
            flops = flop_registry[operation](*args, **kwargs, out_val=out) / 2
            self.spectral += PRODUCT_FLOPS[2] * flops if out.is_complex() else 0
            self.real += 0 if out.is_complex() else flops
        if operation in TRANSFORMS or operation in flop_registry:
            self.activations += out.numel() * (2 if out.is_complex() else 1)
        return out


def _is_complex(value: Tensor | complex) -> bool:
    return value.is_complex() if isinstance(value, Tensor) else isinstance(value, complex)


def _fft_flops(x: Tensor, out: Tensor, dims: list[int]) -> float:
    """2.5 P log2 P per transform of P points; half if one side is real. The real side has all points."""
    shape = [max(sides) for sides in zip(x.shape, out.shape, strict=True)]
    points = math.prod(shape[dim] for dim in dims)
    share = 1 if x.is_complex() and out.is_complex() else 0.5
    return share * 2.5 * math.prod(shape) * math.log2(points)
