"""What kind of model a name stands for."""


def is_restoration_model(model_type: str) -> bool:
    """Whether it is RestorationModel or made from it."""
    from basicsr.utils.registry import MODEL_REGISTRY

    from ..models.restoration_model import RestorationModel

    return issubclass(MODEL_REGISTRY.get(model_type), RestorationModel)


def is_image_model(model_type: str) -> bool:
    """Whether it trains one network on pairs of images with the losses of SRModel."""
    return model_type == "SRModel" or is_restoration_model(model_type)
