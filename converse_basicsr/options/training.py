"""The section train: optimisers, schedulers, losses and what single models read."""

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from ..errors import shown
from .kinds import (
    Betas,
    Count,
    Counts,
    Fraction,
    Index,
    Indices,
    Must,
    NotNegative,
    Number,
    Positive,
    Probability,
    Switch,
    Text,
    Weights,
)  # fmt: skip
from .sections import Built, Section, wrong

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


class Loss(Built):
    """A loss: its class and arguments."""

    loss_weight: Number = Field(1, description="Factor of the loss.")
    reduction: Annotated[Literal["mean", "sum"], Must("mean or sum")] = Field(
        "mean", description="Over the elements of the batch."
    )


class PerceptualLoss(Loss):
    """A loss on the features of a VGG network."""

    layer_weights: dict[Text, Number] | None = Field(None, description="Layers of the VGG network and their weights.")
    perceptual_weight: Number = Field(1, description="Factor of the loss on features; 0: none.")
    style_weight: Number = Field(0, description="Factor of the style loss; 0: none.")
    criterion: Annotated[Literal["l1", "fro"], Must("l1 or fro")] = Field("l1", description="Distance of features.")
    vgg_type: Annotated[
        Literal["vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"],
        Must("vgg11, vgg13, vgg16 or vgg19, with or without _bn"),
    ] = Field("vgg19", description="The VGG network.")


class Train(Section):
    """Training."""

    total_iter: Count = Field(description="Number of iterations.")
    warmup_iter: Annotated[int, Field(ge=-1), Must("an integer of -1 or more")] = Field(
        -1, description="Iterations in which the learning rate rises; -1: none."
    )
    ema_decay: Fraction = Field(0, description="Decay of the moving average of the weights; 0: none.")
    optim_g: Optimiser = Field(description="Optimiser of network_g.")
    optim_d: Optimiser | None = Field(None, description="Optimiser of network_d.")
    scheduler: Scheduler = Field(description="Learning rate over the iterations.")
    pixel_opt: Loss | None = Field(None, description="Loss between the output and the ground truth.")
    perceptual_opt: PerceptualLoss | None = Field(None, description="Loss on features.")
    gan_opt: Loss | None = Field(None, description="Adversarial loss.")
    ldl_opt: Loss | None = Field(None, description="Locally discriminative loss (ESRGANModel).")
    feature_matching_opt: Loss | None = Field(None, description="HiFaceGANModel: loss on the discriminator's features.")
    amp: Annotated[Literal["bf16", "fp16"] | None, Must("bf16, fp16 or ~")] = Field(
        None, description="RestorationModel: precision of the network in training; ~: float32."
    )
    accum_iter: Count = Field(1, description="RestorationModel: parts of a batch, one after the other, to save memory.")
    clip_grad_norm: Positive | None = Field(None, description="RestorationModel: largest norm of the gradients.")
    net_d_iters: Count | None = Field(None, description="Train network_g in every n-th iteration only.")
    net_d_init_iters: Index | None = Field(None, description="Train network_d alone in this many iterations at first.")
    tsa_iter: Count | None = Field(None, description="EDVRModel: train only the TSA module at first.")
    dcn_lr_mul: Positive | None = Field(
        None, description="EDVRModel: factor of the learning rate of deformable convolutions."
    )
    fix_flow: Index | None = Field(None, description="VideoRecurrentModel: iterations without training the flow.")
    flow_lr_mul: Positive | None = Field(
        None, description="VideoRecurrentModel: factor of the learning rate of the flow."
    )
    lr_flow: Positive | None = Field(None, description="VideoRecurrentGANModel: learning rate of the flow.")
    r1_reg_weight: NotNegative | None = Field(None, description="StyleGAN2Model: weight of the R1 penalty.")
    path_reg_weight: NotNegative | None = Field(None, description="StyleGAN2Model: weight of the path length penalty.")
    path_batch_shrink: Count | None = Field(
        None, description="StyleGAN2Model: divisor of the batch for the path length penalty."
    )
    net_g_reg_every: Count | None = Field(
        None, description="StyleGAN2Model: iterations between penalties of network_g."
    )
    net_d_reg_every: Count | None = Field(
        None, description="StyleGAN2Model: iterations between penalties of network_d."
    )
    mixing_prob: Probability | None = Field(None, description="StyleGAN2Model: probability of mixing two latent codes.")

    @model_validator(mode="after")
    def _is_scheduled_to_the_end(self) -> "Train":
        if isinstance(self.scheduler, CosineScheduler) and sum(self.scheduler.periods) < self.total_iter:
            total = sum(self.scheduler.periods)
            raise wrong(f"the sum ({total}) must be at least total_iter ({self.total_iter})", "scheduler:periods")
        return self

    @model_validator(mode="after")
    def _has_losses_of_parts(self) -> "Train":
        if self.accum_iter > 1 and self.perceptual_opt and self.perceptual_opt.criterion == "fro":
            raise wrong(
                "fro is a norm of the whole batch, which accum_iter divides; write l1", "perceptual_opt:criterion"
            )
        return self
