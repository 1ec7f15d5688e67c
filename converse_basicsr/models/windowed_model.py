"""RestorationModel for networks of windows."""

import torch.nn.functional as F
from torch import Tensor, nn

from basicsr.utils.registry import MODEL_REGISTRY

from .restoration_model import RestorationModel


@MODEL_REGISTRY.register()
class WindowedRestorationModel(RestorationModel):
    """RestorationModel whose images are padded to multiples of window_size of network_g, as SwinIR needs it.

    They are padded at the bottom and right by reflection and the result is cropped, as in BasicSR's SwinIRModel.
    """

    def restore(self, network: nn.Module, lq: Tensor, kernel: Tensor | None) -> Tensor:
        window = self.opt["network_g"]["window_size"]
        height, width = lq.shape[-2:]
        padded = F.pad(lq, (0, -width % window, 0, -height % window), "reflect")
        return super().restore(network, padded, kernel)[..., : height * self.scale, : width * self.scale]
