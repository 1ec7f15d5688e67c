"""What a network costs: size, arithmetic, time and memory."""

import copy
from dataclasses import asdict

import torch
from torch import Tensor, nn

from ..classical import NumpyMethod
from ..weights.spandrel_arch import Spandrel
from .flops import COUNTS, count_flops
from .timing import evaluating, peak_memory, time_together, training_step


def measure_cost(network: nn.Module, inputs: tuple, scale: int, device: torch.device | str) -> dict:
    """Count and time an evaluation and a training step (forward and backward, without an optimiser) on the same input.

    Args:
        network: not changed: a copy is measured.
        inputs: its positional arguments; the first is the image (N, C, h, w), others may be tensors or numbers.
        scale: the output is (N, C', scale*h, scale*w).
        device: for timing; arithmetic is always counted on the CPU.

    Returns the values that docs/cost.md explains, and `input`, the shape of the first input. None is what cannot be
    measured: a training step of what cannot be trained; FLOPs and memory of a method that torch does not compute.
    """
    device = torch.device(device)
    in_torch, parameters = not isinstance(network, NumpyMethod), sum(map(Tensor.numel, network.parameters()))
    trains = parameters > 0 and not isinstance(network, Spandrel)  # which evaluates in inference mode
    counts = count_flops(network, inputs) if in_torch else dict.fromkeys(COUNTS)
    network = copy.deepcopy(network).to(device)
    inputs = tuple(x.to(device) if isinstance(x, Tensor) else x for x in inputs)
    batch, _, h, w = inputs[0].shape
    steps = {"evaluation": evaluating, "training": training_step if trains else None}
    timings, memory = dict.fromkeys(steps), dict.fromkeys(steps)
    for name, step in steps.items():
        if step is None:
            continue
        run = step(network.train(name == "training"), *inputs)
        timings[name] = time_together({name: run}, device)[name]
        memory[name] = peak_memory(run, device) if in_torch else None
    return {
        "input": list(inputs[0].shape),
        "parameters": parameters,
        **counts,
        "latency_ms": asdict(timings["evaluation"]),
        "throughput_mpixel_s": batch * h * w * scale**2 / timings["evaluation"].median / 1e3,
        "training_step_ms": asdict(timings["training"]) if trains else None,
        "peak_memory_mib": memory,
    }
