"""Checks that depend on the kind of model."""

import inspect

import torch

from ..errors import UserError, plain
from ..inference import TILE_OVERLAP
from ..inference.consistency import build_consistency
from ..options.constructors import check_type
from ..options.real_esrgan import HighOrderDegradation, RealESRGAN
from ..options.run_sections import Validation
from ..options.training import Train
from .keys import keys_read

GAN_MODELS = ("SRGANModel", "ESRGANModel")
_OF_EVERY_MODEL = (  # keys that the training loop reads, or that BasicSR's models share
    "total_iter", "warmup_iter", "optim_g", "scheduler",
    "val_freq", "save_img", "suffix", "pbar", "metrics",
)  # fmt: skip


def is_restoration_model(model_type: str) -> bool:
    """Whether it is RestorationModel or made from it."""
    from basicsr.utils.registry import MODEL_REGISTRY

    from ..models.restoration_model import RestorationModel

    return issubclass(MODEL_REGISTRY.get(model_type), RestorationModel)


def is_image_model(model_type: str) -> bool:
    """Whether it trains network_g on pairs of images."""
    return model_type in ("SRModel", "SwinIRModel", *GAN_MODELS) or is_restoration_model(model_type)


def window_sizes(model_type: str, network: dict) -> tuple[int, int]:
    """The model pads images to multiples of these, in training and in validation: window_size of network_g, or 1.

    Raises:
        UserError: it is not an integer of 1 or more, or missing.
    """
    if model_type != "SwinIRModel" and not is_restoration_model(model_type):
        return 1, 1
    window = network.get("window_size", None if model_type == "SwinIRModel" else 1)
    if type(window) is not int or window < 1:
        raise UserError(f"network_g:window_size: must be an integer of 1 or more, got {window!r}")
    return (1, window) if model_type == "SwinIRModel" else (window, window)


def check_model(opt: dict, is_train: bool) -> None:
    """Check the model type, and that the option file has what this model reads and nothing that it ignores.

    Raises:
        UserError: names the key.
    """
    from basicsr.utils.registry import MODEL_REGISTRY

    model = check_type("model_type", opt["model_type"], MODEL_REGISTRY, "model")
    keys = keys_read(model)
    places = {  # options that only some models read, by their place
        "": (opt, {"network_d", "degradation", *RealESRGAN.model_fields}),
        "train": (opt.get("train") or {}, Train.model_fields.keys() - {*_OF_EVERY_MODEL}),
        "val": (opt.get("val") or {}, Validation.model_fields.keys() - {*_OF_EVERY_MODEL}),
    }
    for place, (section, optional) in places.items():
        for key in section:
            if key in optional and key not in keys.all and section[key] is not None:
                raise UserError(f"{_join(place, key)}: {plain(opt['model_type'])} ignores this option{_readers(key)}")
        for key in sorted(optional & keys.needed - _not_needed(opt)):
            if is_train and place != "val" and section.get(key) is None:
                raise UserError(f"{_join(place, key)}: {plain(opt['model_type'])} needs this option")
    if is_train:
        _check_losses_given(opt, keys.all)
    _check_device(opt, model)
    _check_tiles(opt.get("val") or {})
    _check_consistency(opt.get("val") or {}, opt.get("scale") or 1)


def _not_needed(opt: dict) -> set[str]:
    """Keys that the source reads as section["key"], but only under a condition that these options do not meet."""
    return set() if opt.get("high_order_degradation", True) else {*HighOrderDegradation.model_fields}


def _readers(key: str) -> str:
    from basicsr.utils.registry import MODEL_REGISTRY

    readers = [name.removesuffix("_basicsr") for name, model in MODEL_REGISTRY if key in keys_read(model).all]
    return f"; {' and '.join(readers)} {'read' if len(readers) > 1 else 'reads'} it" if 1 <= len(readers) <= 2 else ""


def _check_losses_given(opt: dict, keys: set[str]) -> None:
    train = opt["train"]
    if (
        opt["model_type"] not in GAN_MODELS
        and is_image_model(opt["model_type"])
        and not (train.get("pixel_opt") or train.get("perceptual_opt"))
    ):
        raise UserError("train: needs a loss: pixel_opt or perceptual_opt")
    if "network_d" in keys and not train.get("gan_opt"):
        raise UserError(f"train:gan_opt: {plain(opt['model_type'])} needs this option")


def _check_device(opt: dict, model: type) -> None:
    found = torch.cuda.device_count()
    if opt["num_gpu"] != "auto" and opt["num_gpu"] > found:
        raise UserError(f"num_gpu: got {opt['num_gpu']}, but this machine has {found} CUDA devices; write auto")
    if not found and ".cuda()" in inspect.getsource(model):
        raise UserError(f"model_type: {plain(opt['model_type'])} needs a CUDA device, and this machine has none")


def _check_tiles(val: dict) -> None:
    tile, given = val.get("tile") or 0, val.get("tile_overlap")
    overlap = TILE_OVERLAP if given is None else given
    if (tile or given is not None) and overlap >= tile:
        raise UserError(f"val:tile_overlap: must be less than val:tile, got {overlap}")


def _check_consistency(val: dict, scale: int) -> None:
    if val.get("consistency") is not None:
        try:
            build_consistency(val["consistency"], scale, val.get("consistency_lam"))
        except UserError as error:
            raise UserError(f"val:{error}") from error


def _join(place: str, key: str) -> str:
    return f"{place}:{key}" if place else key
