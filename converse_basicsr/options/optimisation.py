"""How a network learns: the optimiser, and its learning rate over the iterations."""

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from ..errors import shown
from .kinds import Betas, Counts, Indices, Must, NotNegative, Positive, Switch, Weights
from .section import Section, wrong

Cosine = Annotated[Literal["CosineAnnealingRestartLR"], Must("CosineAnnealingRestartLR")]
MultiStep = Annotated[Literal["MultiStepLR", "MultiStepRestartLR"], Must("MultiStepLR or MultiStepRestartLR")]


def _lengths(weights: list, other: str, values: list) -> PydanticCustomError:
    message = f"must have the same length as {other} ({len(weights)} and {len(values)} numbers)"
    return wrong(message, "restart_weights")


class Optimiser(Section):
    """The optimiser: BasicSR 1.4.2 has Adam. The keys are the arguments of torch.optim.Adam."""

    type: Annotated[Literal["Adam"], Must("Adam, the only optimiser of BasicSR 1.4.2")] = Field(
        description="The optimiser."
    )
    lr: Positive = Field(description="Learning rate at the start.")
    betas: Betas = Field([0.9, 0.999], description="Decay of the averages of gradients and of their squares.")
    eps: Positive = Field(1e-8, description="Added to the denominator.")
    weight_decay: NotNegative = Field(0, description="L2 penalty of the weights.")
    amsgrad: Switch = Field(False, description="The variant AMSGrad.")
    maximize: Annotated[Literal[False], Must("false: losses are minimised")] = Field(
        False, description="Without effect."
    )
    decoupled_weight_decay: Switch = Field(False, description="As in AdamW.")
    foreach: Switch | None = Field(None, description="Update all tensors together; ~: torch decides.")
    fused: Switch | None = Field(None, description="Update in one kernel; ~: torch decides.")

    @model_validator(mode="after")
    def _has_one_implementation(self) -> "Optimiser":
        if self.foreach and self.fused:
            raise wrong("foreach and fused cannot both be true")
        return self


class CosineScheduler(Section):
    """Cosine annealing with restarts."""

    type: Cosine = Field(description="The scheduler.")
    periods: Counts = Field(description="Iterations of each cycle; the sum must be at least total_iter.")
    restart_weights: Weights = Field([1], description="Factor of the learning rate in each cycle.")
    eta_min: NotNegative = Field(0, description="Learning rate at the end of a cycle.")

    @model_validator(mode="after")
    def _has_a_weight_for_each_period(self) -> "CosineScheduler":
        if len(self.restart_weights) != len(self.periods):
            raise _lengths(self.restart_weights, "periods", self.periods)
        return self


class MultiStepScheduler(Section):
    """Multiplies the learning rate by gamma at milestones."""

    type: MultiStep = Field(description="The scheduler.")
    milestones: Counts = Field(description="Iterations at which the learning rate is multiplied by gamma.")
    gamma: Positive = Field(0.1, description="Factor of the learning rate at each milestone.")
    restarts: Indices = Field([0], description="Iterations at which the learning rate starts again.")
    restart_weights: Weights = Field([1], description="Factor of the learning rate after each restart.")

    @model_validator(mode="after")
    def _is_in_order(self) -> "MultiStepScheduler":
        if any(after < before for before, after in pairwise(self.milestones)):
            raise wrong(f"must be in ascending order, got {shown(self.milestones)}", "milestones")
        if len(self.restart_weights) != len(self.restarts):
            raise _lengths(self.restart_weights, "restarts", self.restarts)
        return self


def _scheduler(section: Any) -> str | None:
    """The tag of a scheduler's section; a section that is not a mapping gets the first, whose message fits."""
    if not isinstance(section, dict) or section.get("type") == "CosineAnnealingRestartLR":
        return "cosine"
    return "multistep" if section.get("type") in ("MultiStepLR", "MultiStepRestartLR") else None


Scheduler = Annotated[
    Annotated[CosineScheduler, Tag("cosine")] | Annotated[MultiStepScheduler, Tag("multistep")],
    Discriminator(
        _scheduler,
        custom_error_type="wrong",
        custom_error_message="must be CosineAnnealingRestartLR, MultiStepLR or MultiStepRestartLR",
        custom_error_context={"key": "type"},
    ),
]
