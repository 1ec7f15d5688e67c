"""Networks that spandrel recognises in a file of weights."""

import importlib.util

from torch import Tensor, nn

from ..errors import UserError
from .building import Built
from .reading import Weights


class SpandrelNetwork(nn.Module):
    """A model that spandrel has loaded; it pads images itself and clips the result to [0, 1]."""

    def __init__(self, descriptor):
        super().__init__()
        self.descriptor = descriptor
        self.network = descriptor.model
        self.in_channels = descriptor.input_channels
        self.scale = descriptor.scale

    def forward(self, x: Tensor) -> Tensor:
        return self.descriptor(x).clone()  # an ordinary tensor, where spandrel returns an inference tensor


def build_by_spandrel(weights: Weights) -> Built | None:
    """Load what spandrel recognises; None if it is not installed or does not recognise the keys."""
    if importlib.util.find_spec("spandrel") is None:
        return None
    from ..compat import prepare_torchvision

    prepare_torchvision()
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    try:
        descriptor = ModelLoader().load_from_state_dict(weights.state_dict)
    except UnsupportedModelError:
        return None
    except Exception as error:  # a detector's mistake: any error may follow
        raise UserError(f"{weights.name}: spandrel cannot load it: {str(error).splitlines()[0]}") from error
    if not isinstance(descriptor, ImageModelDescriptor):
        raise UserError(f"{weights.name}: {descriptor.architecture.name} needs a mask beside the image")
    factor = f" x{descriptor.scale}" if descriptor.scale > 1 else ""
    return Built(SpandrelNetwork(descriptor), f"{descriptor.architecture.name}{factor}, recognised by spandrel")
