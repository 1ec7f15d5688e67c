"""The Converse networks for spandrel, through which ComfyUI, chaiNNer and others load models.

    import converse_basicsr.spandrel
    converse_basicsr.spandrel.install()
    model = spandrel.ModelLoader().load_from_file("converse_srresnet.pth")

Converse-USRNet is not among them: it needs a blur kernel, and spandrel's models take only an image.
"""

import os
from pathlib import Path

from torch import Tensor, nn

from .compat import prepare_torchvision
from .errors import UserError, plain
from .extras import install as install_command
from .files.safetensors_file import OPTIONS_TENSOR, options_in
from .inference.sizes import least_side
from .weights.building import Built, build_ours
from .weights.detection import detect
from .weights.loading import build
from .weights.locating import locate
from .weights.reading import Weights, check_network_options, read_weights

prepare_torchvision()

try:
    from spandrel import (  # it imports torchvision
        MAIN_REGISTRY,
        Architecture,
        ArchSupport,
        ImageModelDescriptor,
        ModelTiling,
        SizeRequirements,
        StateDict,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}; {install_command('spandrel')}", name=error.name) from error

SOURCE = "its tensor network_options"


class ConverseArchitecture(Architecture[nn.Module]):
    """One of our networks, recognised by the keys and shapes of its state dict.

    Options that shapes do not tell are those in the tensor network_options, which `basicsr weights convert
    --for-spandrel` writes; without it they are the published ones.
    """

    def __init__(self, name: str, purpose: str):
        super().__init__(id=name, detect=self._is_mine)
        self._purpose = purpose

    def _is_mine(self, state_dict: StateDict) -> bool:
        found = detect({key: value for key, value in state_dict.items() if key != OPTIONS_TENSOR})
        return found is not None and found.type == self.id

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[nn.Module]:
        """Build the network, and describe it.

        Raises:
            UserError: the keys do not fit, or nothing tells an option that has no published value.
        """
        tensors = {key: value for key, value in state_dict.items() if key != OPTIONS_TENSOR}
        options = None
        if OPTIONS_TENSOR in state_dict:
            options = check_network_options(options_in(state_dict[OPTIONS_TENSOR], "the state dict"), "the state dict")
        built = build_ours(Weights(Path("the state dict"), tensors, options, ""), options, SOURCE)
        return self.describe(built)

    def describe(self, built: Built) -> ImageModelDescriptor[nn.Module]:
        """spandrel's description of a network that is built."""
        options, network = built.options, built.network
        return ImageModelDescriptor(
            network,
            dict(built.state_dict),
            architecture=self,
            purpose=self._purpose,
            tags=[f"{options['num_feat']}nf", f"{options['num_block']}nb"],
            supports_half=True,  # on a CPU, 0.05 of 255 levels off on average; bfloat16 is ten times less accurate
            supports_bfloat16=False,
            scale=network.scale,
            input_channels=network.in_channels,
            output_channels=options["num_out_ch"],
            size_requirements=SizeRequirements(minimum=least_side(network)),
            tiling=ModelTiling.SUPPORTED,
            call_fn=call_per_channel if network.in_channels == options["num_out_ch"] == 1 else None,
        )


ARCHITECTURES = {
    "ConverseDnCNN": ConverseArchitecture("ConverseDnCNN", "Restoration"),
    "ConverseSRResNet": ConverseArchitecture("ConverseSRResNet", "SR"),
    "ConverseNet": ConverseArchitecture("ConverseNet", "Restoration"),
}
BEFORE = ("SCUNet",)  # which takes every file with the keys m_head and m_tail, so Converse-DnCNN's too


def install() -> list[ArchSupport]:
    """Add the networks to spandrel's main registry; return those that were not in it yet."""
    supports = [ArchSupport.from_architecture(architecture, BEFORE) for architecture in ARCHITECTURES.values()]
    return MAIN_REGISTRY.add(*supports, ignore_duplicates=True)


def load(weights: str | os.PathLike) -> ImageModelDescriptor[nn.Module]:
    """A file or published name as spandrel's model, with the options that the file carries.

    Raises:
        UserError: the file cannot be read, or is not for one of these networks.
    """
    built = build(read_weights(locate(weights)), None)
    if built.options is None or built.options["type"] not in ARCHITECTURES:
        raise UserError(f"{plain(weights)}: only {', '.join(ARCHITECTURES)} are for spandrel, this is {built.words}")
    return ARCHITECTURES[built.options["type"]].describe(built)


def call_per_channel(network: nn.Module, image: Tensor) -> Tensor:
    """Restore each channel of (N, C, H, W) by a network of one channel, for programs that only have RGB."""
    restored = network(image.reshape(-1, 1, *image.shape[-2:]))
    return restored.reshape(*image.shape[:2], *restored.shape[-2:])
