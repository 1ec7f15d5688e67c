"""Checks that depend on the kind of model."""

from ..errors import UserError


def is_restoration_model(model_type: str) -> bool:
    """Whether it is RestorationModel or made from it."""
    from basicsr.utils.registry import MODEL_REGISTRY

    from ..models.restoration_model import RestorationModel

    return issubclass(MODEL_REGISTRY.get(model_type), RestorationModel)


def is_image_model(model_type: str) -> bool:
    """Whether it trains one network on pairs of images with the losses of SRModel."""
    return model_type == "SRModel" or is_restoration_model(model_type)


def window_size(model_type: str, network: dict) -> int:
    """The model pads images to multiples of this: window_size of network_g for RestorationModel, else 1.

    Raises:
        UserError: it is not an integer of 1 or more.
    """
    window = network.get("window_size", 1) if is_restoration_model(model_type) else 1
    if type(window) is not int or window < 1:
        raise UserError(f"network_g:window_size: must be an integer of 1 or more, got {window!r}")
    return window
