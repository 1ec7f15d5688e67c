"""The networks as plain torch modules. Needs only torch."""

from .converse_dncnn import ConverseDnCNN
from .converse_srresnet import ConverseSRResNet
from .converse_usrnet import ConverseUSRNet
from .conversenet import ConverseNet
from .deconvolution_resnet import DeconvolutionResNet
from .dncnn import DnCNN
from .upsampler_srresnet import UpsamplerSRResNet

__all__ = [
    "ConverseDnCNN",
    "ConverseNet",
    "ConverseSRResNet",
    "ConverseUSRNet",
    "DeconvolutionResNet",
    "DnCNN",
    "UpsamplerSRResNet",
]
