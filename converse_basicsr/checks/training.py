"""The section train: losses, optimiser and schedule."""

import inspect

import torch

from ..compat import is_basicsr_1_4
from ..errors import UserError
from .models import is_image_model
from .types import check_options, check_type
from .values import require

_SCHEDULERS = ("MultiStepLR", "MultiStepRestartLR", "CosineAnnealingRestartLR")


def check_training(train: dict, model_type: str) -> None:
    """Raise UserError where BasicSR could not set up the training."""
    require(train, "train", "total_iter", "scheduler", "optim_g")
    losses = [key for key, section in train.items() if key.endswith("_opt") and section is not None]
    for key in losses:
        _check_loss(f"train:{key}", train[key])
    if is_image_model(model_type) and not {"pixel_opt", "perceptual_opt"} & set(losses):
        raise UserError("train: there is no loss: neither pixel_opt nor perceptual_opt")
    for key in [key for key in train if key.startswith("optim_")]:
        _check_optimiser(f"train:{key}", train[key])
    _check_schedule(train["scheduler"], train["total_iter"])


def _check_loss(where: str, section: dict) -> None:
    from basicsr.utils.registry import LOSS_REGISTRY

    require(section, where, "type")
    loss = check_type(f"{where}:type", section["type"], LOSS_REGISTRY, "loss")
    check_options(where, section, loss)
    if "perceptual" in where:
        return  # it fetches pretrained weights when it is built
    try:
        loss(**{key: value for key, value in section.items() if key != "type"})
    except Exception as error:  # a constructor may raise anything over a value
        raise UserError(f"{where}: {loss.__name__}: {error}") from error


def _check_optimiser(where: str, section: dict) -> None:
    require(section, where, "type", "lr")
    optimiser = getattr(torch.optim, str(section["type"]), None)
    if not (inspect.isclass(optimiser) and issubclass(optimiser, torch.optim.Optimizer)):
        raise UserError(f"{where}:type: torch.optim has no optimiser {section['type']!r}; BasicSR supports Adam")
    if is_basicsr_1_4() and section["type"] != "Adam":
        raise UserError(f"{where}:type: this release of BasicSR supports Adam alone, not {section['type']}")
    check_options(where, section, optimiser, given=("params",))


def _check_schedule(section: dict, total_iter: int) -> None:
    import basicsr.models.lr_scheduler as schedulers

    where = "train:scheduler"
    require(section, where, "type")
    if section["type"] not in _SCHEDULERS:
        raise UserError(f"{where}:type: no {section['type']!r}; there are {', '.join(_SCHEDULERS)}")
    name = section["type"].replace("MultiStepLR", "MultiStepRestartLR")
    check_options(where, section, getattr(schedulers, name), given=("optimizer", "last_epoch"))
    if name.startswith("Cosine"):
        periods, weights = section["periods"], section.get("restart_weights", [1])
        if len(weights) != len(periods):
            raise UserError(f"{where}:restart_weights: {weights} must be as many as periods, {periods}")
        if sum(periods) < total_iter:
            raise UserError(f"{where}:periods: {periods} end before total_iter ({total_iter}): their sum must reach it")
