"""What a network costs: size, arithmetic, time and memory."""

import copy
from collections.abc import Callable
from dataclasses import asdict

import torch
from torch import Tensor, nn

from .flops import count_flops
from .timing import Timing, evaluating, peak_memory, time_together, training_step


def measure_cost(network: nn.Module, inputs: tuple, scale: int, device: torch.device | str) -> dict:
    """Count and time evaluation and a training step (forward and backward, without an optimiser) on the same input.

    Args:
        network: not changed: a copy is measured.
        inputs: its positional arguments; the first is the image (N, C, h, w), others may be tensors or numbers.
        scale: the output is (N, C', scale*h, scale*w).
        device: for timing. Arithmetic is counted on the CPU, so it is the same for every device.

    Returns:
        input: the shape of the first input.
        parameters: number of values in parameters, without buffers.
        flops, flops_with_fft, activations: as in flops.py, for the whole batch.
        latency_ms, training_step_ms: median, low and high quartile, and number of runs.
        throughput_mpixel_s: millions of output pixels per second in evaluation.
        peak_memory_mib: evaluation, training: peak of what is held, without parameters and their gradients.
    """
    device = torch.device(device)
    counts = count_flops(network, inputs)
    network = copy.deepcopy(network).to(device)
    inputs = tuple(x.to(device) if isinstance(x, Tensor) else x for x in inputs)
    batch, _, h, w = inputs[0].shape
    evaluation, evaluation_memory = _measure(evaluating(network.eval(), *inputs), device)
    training, training_memory = _measure(training_step(network.train(), *inputs), device)
    return {
        "input": list(inputs[0].shape),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        **counts,
        "latency_ms": asdict(evaluation),
        "throughput_mpixel_s": batch * h * w * scale**2 / evaluation.median / 1e3,
        "training_step_ms": asdict(training),
        "peak_memory_mib": {"evaluation": evaluation_memory, "training": training_memory},
    }


def _measure(run: Callable[[], None], device: torch.device) -> tuple[Timing, float]:
    return time_together({"run": run}, device)["run"], peak_memory(run, device)
