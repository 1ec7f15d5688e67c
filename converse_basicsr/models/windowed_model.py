"""RestorationModel for networks of windows."""

from torch import Tensor, nn

from basicsr.utils.registry import MODEL_REGISTRY

from ..inference.calling import restore
from .restoration_model import RestorationModel


@MODEL_REGISTRY.register()
class WindowedRestorationModel(RestorationModel):
    """RestorationModel whose images are padded to multiples of window_size of network_g, as SwinIR needs it.

    They are padded at the bottom and right by reflection and the result is cropped, as in BasicSR's SwinIRModel.
    """

    def restore(self, network: nn.Module, lq: Tensor, kernel: Tensor | None) -> Tensor:
        return restore(network, self.conditioned, lq, kernel, self.scale, self.opt["network_g"]["window_size"])
