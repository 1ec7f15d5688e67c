"""What a conversion replaced, what it did not and why, and the way back."""

from dataclasses import dataclass, field

from torch import nn

from ..errors import UserError

EXACT = 1e-5  # largest relative difference that float32 rounding explains


@dataclass(frozen=True)
class Replaced:
    """A layer (or a pair of layers) and the one in its place.

    Args:
        name: of the layer in the model; of all its places if it is shared.
        before, after: the modules.
        start: how the new layer starts: 'nearest', 'prior', 'weights' or 'fresh' (docs/own_networks.md).
        reason: why it starts fresh, if it does.
        places: (name, old module, new module) of every submodule that was exchanged.
        error: RMS of the difference between new and old layer for normal noise, relative to the old layer's RMS.
    """

    name: str
    before: nn.Module
    after: nn.Module
    start: str
    reason: str
    places: tuple[tuple[str, nn.Module, nn.Module], ...]
    error: float

    @property
    def exact(self) -> bool:
        """Whether the new layer starts with the results of the old one, up to rounding."""
        return self.error <= EXACT

    @property
    def parameters(self) -> tuple[int, int]:
        """Number of parameters before and after."""
        return count_parameters(self.before), count_parameters(self.after)

    def __str__(self) -> str:
        before, after = self.parameters
        start = f"{self.start} ({self.reason})" if self.reason else self.start
        start = "exact" if self.exact else f"start: {start}, differs by {self.error:.2g}"
        return (
            f"{self.name}: {type(self.before).__name__} -> {type(self.after).__name__}, "
            f"{before} -> {after} parameters, {start}"
        )


@dataclass(frozen=True)
class Kept:
    """A layer that stays as it is, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass
class Report:
    """The result of a conversion; `undo` takes it."""

    model: nn.Module
    replaced: list[Replaced] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"replaced: {len(self.replaced)}", *(f"  {one}" for one in self.replaced)]
        lines += [f"not replaced: {len(self.kept)}", *(f"  {one}" for one in self.kept)]
        return "\n".join(lines)


def undo(report: Report) -> None:
    """Put the old layers back, with the weights that they had; what the new layers learned is lost.

    Args:
        report: of convert_upsampling or convert_depthwise. Its list of replaced layers is empty afterwards.

    Raises:
        UserError: another module is in the place of a new layer; nothing is changed then.
    """
    places = [place for replaced in report.replaced for place in replaced.places]
    for name, _, new in places:
        if _submodule(report.model, name) is not new:
            raise UserError(f"{name} is no longer the layer that the conversion put there; nothing was undone")
    for name, old, new in places:
        old.train(new.training)
        put(report.model, name, old)
    report.replaced.clear()


def put(model: nn.Module, name: str, module: nn.Module) -> None:
    """Make the module the submodule of that name."""
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _submodule(model: nn.Module, name: str) -> nn.Module | None:
    try:
        return model.get_submodule(name)
    except AttributeError:
        return None
