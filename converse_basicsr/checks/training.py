"""Checks of the section train: losses, optimiser and scheduler."""

import inspect

import torch

from ..compat import is_basicsr_1_4
from ..errors import UserError
from .models import is_image_model
from .types import check_options, check_type
from .values import require

_SCHEDULERS = ("MultiStepLR", "MultiStepRestartLR", "CosineAnnealingRestartLR")


def check_training(train: dict, model_type: str) -> None:
    """Raise UserError if BasicSR cannot set up losses, optimiser or scheduler."""
    require(train, "train", "total_iter", "scheduler", "optim_g")
    losses = [key for key, section in train.items() if key.endswith("_opt") and section is not None]
    for key in losses:
        _check_loss(f"train:{key}", train[key])
    if is_image_model(model_type) and not {"pixel_opt", "perceptual_opt"} & set(losses):
        raise UserError("train: needs a loss: pixel_opt or perceptual_opt")
    for key in [key for key in train if key.startswith("optim_")]:
        _check_optimiser(f"train:{key}", train[key])
    _check_schedule(train["scheduler"], train["total_iter"])


def _check_loss(where: str, section: dict) -> None:
    from basicsr.utils.registry import LOSS_REGISTRY

    require(section, where, "type")
    loss = check_type(f"{where}:type", section["type"], LOSS_REGISTRY, "loss")
    check_options(where, section, loss)
    if "perceptual" in where:
        return  # building it would download pretrained weights
    try:
        loss(**{key: value for key, value in section.items() if key != "type"})
    except Exception as error:  # a constructor may raise any exception over a bad value
        raise UserError(f"{where}: {loss.__name__}: {error}") from error


def _check_optimiser(where: str, section: dict) -> None:
    require(section, where, "type", "lr")
    optimiser = getattr(torch.optim, str(section["type"]), None)
    if not (inspect.isclass(optimiser) and issubclass(optimiser, torch.optim.Optimizer)):
        raise UserError(f"{where}:type: torch.optim has no optimiser {section['type']!r}; BasicSR supports Adam")
    if is_basicsr_1_4() and section["type"] != "Adam":
        raise UserError(f"{where}:type: this release of BasicSR supports only Adam, got {section['type']!r}")
    check_options(where, section, optimiser, given=("params",))


def _check_schedule(section: dict, total_iter: int) -> None:
    import basicsr.models.lr_scheduler as schedulers

    where = "train:scheduler"
    require(section, where, "type")
    if section["type"] not in _SCHEDULERS:
        raise UserError(f"{where}:type: must be one of {', '.join(_SCHEDULERS)}, got {section['type']!r}")
    name = section["type"].replace("MultiStepLR", "MultiStepRestartLR")
    check_options(where, section, getattr(schedulers, name), given=("optimizer", "last_epoch"))
    if name.startswith("Cosine"):
        periods, weights = section["periods"], section.get("restart_weights", [1])
        if len(weights) != len(periods):
            raise UserError(f"{where}:restart_weights: {weights} must have the same length as periods, {periods}")
        if sum(periods) < total_iter:
            raise UserError(f"{where}:periods: the sum of {periods} must be at least total_iter ({total_iter})")
