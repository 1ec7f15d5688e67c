"""The section train: losses, and what single models read."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .kinds import Count, Fraction, Index, Must, NotNegative, Number, Positive, Probability, Text
from .optimisation import CosineScheduler, Optimiser, Scheduler
from .section import Built, Section, wrong


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
    net_d_iters: Count = Field(1, description="Train network_g in every n-th iteration only.")
    net_d_init_iters: Index = Field(0, description="Train network_d alone in this many iterations at first.")
    tsa_iter: Count | None = Field(None, description="EDVRModel: train only the TSA module at first.")
    dcn_lr_mul: Positive = Field(1, description="EDVRModel: factor of the learning rate of deformable convolutions.")
    fix_flow: Index | None = Field(None, description="VideoRecurrentModel: iterations without training the flow.")
    flow_lr_mul: Positive = Field(1, description="VideoRecurrentModel: factor of the learning rate of the flow.")
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
