"""What kind of model a name stands for."""

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
    """What the model pads images to multiples of; 1 for one that does not pad.

    Raises:
        UserError: it is WindowedRestorationModel, or made from it, and the network's window_size does not say.
    """
    from basicsr.utils.registry import MODEL_REGISTRY

    from ..models.windowed_model import WindowedRestorationModel

    if not issubclass(MODEL_REGISTRY.get(model_type), WindowedRestorationModel):
        return 1
    window = network.get("window_size")
    if type(window) is not int or window < 1:
        raise UserError(f"network_g:window_size: {model_type} needs a whole number of 1 or more, got {window!r}")
    return window
