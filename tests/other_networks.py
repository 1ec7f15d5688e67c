"""Networks that nobody here wrote, in small sizes, and what a swap should replace in them."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import nn


@dataclass(frozen=True)
class Case:
    """How to build a network, an input of it, and what convert_upsampling is expected to replace and to keep."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    replaced: tuple[str, ...]
    kept: tuple[str, ...] = ()

    def example(self) -> torch.Tensor:
        return torch.rand(self.shape, generator=torch.Generator().manual_seed(1))


def monai_nets():
    return pytest.importorskip("monai.networks.nets", reason="needs MONAI: pip install -r requirements-test.txt")


def basic_unet(upsample: str) -> nn.Module:
    return monai_nets().BasicUNet(2, 1, 2, (4, 4, 8, 8, 16, 4), upsample=upsample)


def monai_unet() -> nn.Module:
    return monai_nets().UNet(2, 1, 2, channels=(4, 8, 16), strides=(2, 2))


def basicsr_network(name: str, *arguments) -> nn.Module:
    from basicsr.archs.ecbsr_arch import ECBSR
    from basicsr.archs.edsr_arch import EDSR
    from basicsr.archs.rrdbnet_arch import RRDBNet
    from basicsr.archs.srresnet_arch import MSRResNet

    return {"ECBSR": ECBSR, "EDSR": EDSR, "RRDBNet": RRDBNet, "MSRResNet": MSRResNet}[name](*arguments)


def needs_torchvision() -> None:
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        pytest.skip(f"torchvision does not load: {error}")


def keypoint_predictor() -> nn.Module:
    needs_torchvision()
    from torchvision.models.detection.keypoint_rcnn import KeypointRCNNPredictor

    return KeypointRCNNPredictor(4, 3)


def mask_predictor() -> nn.Module:
    needs_torchvision()
    from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor

    return MaskRCNNPredictor(4, 6, 2)


def lraspp() -> nn.Module:
    needs_torchvision()
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    return lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=2)


FUNCTION = "F.interpolate, which is no layer"
UNET_UPS = tuple(f"upcat_{level}.upsample" for level in (4, 3, 2, 1))
NETWORKS = {
    "monai BasicUNet deconv": Case(
        lambda: basic_unet("deconv"), (2, 1, 32, 32), tuple(f"{name}.deconv" for name in UNET_UPS)
    ),
    "monai BasicUNet nontrainable": Case(
        lambda: basic_unet("nontrainable"), (2, 1, 32, 32), tuple(f"{name}.upsample_non_trainable" for name in UNET_UPS)
    ),
    "monai UNet": Case(monai_unet, (2, 1, 16, 16), ("model.1.submodule.2.conv", "model.2.conv")),
    "BasicSR MSRResNet": Case(
        lambda: basicsr_network("MSRResNet", 3, 3, 8, 1, 4),
        (2, 3, 8, 8),
        ("upconv1 + pixel_shuffle", "upconv2 + pixel_shuffle"),
        (f"the model: MSRResNet calls {FUNCTION}",),
    ),
    "BasicSR EDSR": Case(
        lambda: basicsr_network("EDSR", 3, 3, 8, 1, 4),
        (2, 3, 8, 8),
        ("upsample.0 + upsample.1", "upsample.2 + upsample.3"),
    ),
    "BasicSR RRDBNet": Case(
        lambda: basicsr_network("RRDBNet", 3, 3, 4, 8, 1, 4),
        (2, 3, 8, 8),
        (),
        (f"the model: RRDBNet calls {FUNCTION}",),
    ),
    "BasicSR ECBSR": Case(
        lambda: basicsr_network("ECBSR", 1, 1, 1, 4, False, "prelu", 2),
        (2, 1, 8, 8),
        (),
        ("upsampler: its input is not the result of an nn.Conv2d alone",),
    ),
    "torchvision keypoint predictor": Case(
        keypoint_predictor, (2, 4, 7, 7), ("kps_score_lowres",), (f"the model: KeypointRCNNPredictor calls {FUNCTION}",)
    ),
    "torchvision mask predictor": Case(mask_predictor, (2, 4, 7, 7), ("conv5_mask",)),
    "torchvision LR-ASPP": Case(
        lraspp,
        (1, 3, 32, 32),
        (),
        (f"classifier: LRASPPHead calls {FUNCTION}", f"the model: LRASPP calls {FUNCTION}"),
    ),
}
SWAPPED = [name for name, case in NETWORKS.items() if case.replaced]
