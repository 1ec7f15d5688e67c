"""Running a model on an example, to see what its layers are called with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import ref

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..layers.converse2d import Converse2D

UPSAMPLING_FUNCTIONS = (nn.functional.interpolate, nn.functional.pixel_shuffle, nn.functional.conv_transpose2d)
UPSAMPLING_LAYERS = (nn.Upsample, nn.PixelShuffle, nn.ConvTranspose2d, Converse2D)


@dataclass(frozen=True)
class Call:
    """One call of a layer: the shape of its input, and an empty tensor of its dtype and device."""

    shape: tuple[int, ...]
    sample: Tensor


@dataclass
class Seen:
    """What a run of the example showed.

    Args:
        calls: of each layer of UPSAMPLING_LAYERS and of nn.Conv2d, in order.
        sources: per nn.PixelShuffle and call, the nn.Conv2d whose result it got, or None.
        taken: every nn.Conv2d whose result something else than an nn.PixelShuffle got.
        special: layers that were called with more than their input, or with a keyword.
        functions: (name of the module, its class and the function), where a forward upsamples without a layer.
    """

    calls: dict[nn.Module, list[Call]] = field(default_factory=dict)
    sources: dict[nn.Module, list[nn.Module | None]] = field(default_factory=dict)
    taken: set[nn.Module] = field(default_factory=set)
    special: set[nn.Module] = field(default_factory=set)
    functions: list[tuple[str, str]] = field(default_factory=list)


@torch.no_grad()
def run_example(model: nn.Module, example: object) -> None:
    """Call the model in evaluation mode: a tuple is its arguments, a dict its keywords, all else its only argument."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            if isinstance(example, tuple):
                model(*example)
            elif isinstance(example, dict):
                model(**example)
            else:
                model(example)
    finally:
        for module, flag in training.items():
            module.training = flag


def watch_example(model: nn.Module, example: object) -> Seen:
    """Run the example and watch the layers that upsample, and functions that do so without a layer."""
    seen = Seen()
    with _watching(model, seen):
        run_example(model, example)
    return seen


@contextmanager
def _watching(model: nn.Module, seen: Seen) -> Iterator[None]:
    names = {module: name for name, module in model.named_modules()}
    running: list[nn.Module] = []
    results: dict[int, tuple] = {}  # of convolutions: id of the tensor -> (weak reference to it, layer)

    def source(x: object) -> nn.Module | None:
        reference, layer = results.get(id(x), (lambda: None, None))
        return layer if reference() is x else None

    def enter(module: nn.Module, inputs: tuple, keywords: dict) -> None:
        running.append(module)
        if len(inputs) != 1 or keywords:
            seen.special.add(module)
        if not isinstance(module, (*UPSAMPLING_LAYERS, nn.Conv2d)) or not inputs or not isinstance(inputs[0], Tensor):
            return
        seen.calls.setdefault(module, []).append(Call(tuple(inputs[0].shape), inputs[0].new_empty(0)))
        if isinstance(module, nn.PixelShuffle):
            seen.sources.setdefault(module, []).append(source(inputs[0]))

    def leave(module: nn.Module, inputs: tuple, output: object) -> None:
        running.pop()
        if isinstance(module, nn.Conv2d) and isinstance(output, Tensor):
            results[id(output)] = ref(output), module

    class Functions(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if isinstance(result, Tensor) and not (running and isinstance(running[-1], nn.PixelShuffle)):
                seen.taken.update(filter(None, map(source, _flat((*args, *(kwargs or {}).values())))))
            if function in UPSAMPLING_FUNCTIONS and running and not isinstance(running[-1], UPSAMPLING_LAYERS):
                owner = running[-1]
                if result.shape[-2:].numel() > args[0].shape[-2:].numel():
                    entry = names[owner], f"{type(owner).__name__} calls F.{function.__name__}"
                    if entry not in seen.functions:
                        seen.functions.append(entry)
            return result

    hooks = []
    for module in names:
        hooks.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        hooks.append(module.register_forward_hook(leave, always_call=True))
    try:
        with Functions():
            yield
    finally:
        for hook in hooks:
            hook.remove()


def _flat(arguments: tuple) -> Iterator[object]:
    """The arguments, and what lists and tuples among them hold."""
    for each in arguments:
        yield from each if isinstance(each, (list, tuple)) else (each,)
