"""The model card: what is known about the weights, and what is not."""

from .. import __version__
from ..inference.calling import takes_kernel
from .building import Built

_CONVERSE = "Huang et al., Reverse Convolution and Its Applications to Image Restoration, ICCV 2025, arXiv 2508.09824"
_OTHERS = {
    "DeconvolutionResNet": "a fixed deconvolution by Converse2D's closed form, then plain residual blocks",
    "DnCNN": "Zhang et al., Beyond a Gaussian Denoiser, IEEE TIP 2017",
    "UpsamplerSRResNet": "MSRResNet, as in BasicSR, with a choice of upsamplers",
}
_USES = {
    "ConverseDnCNN": "denoising",
    "DnCNN": "denoising",
    "ConverseNet": "deblurring without a known kernel",
    "ConverseUSRNet": "deblurring and super-resolution with a known kernel",
    "DeconvolutionResNet": "deblurring and super-resolution with a known kernel",
}
_TEMPLATE = """\
---
library_name: converse_basicsr
pipeline_tag: image-to-image
license: {licence_id}
tags:
- image-restoration
- converse2d
---

# {title}

{words}.

- Use: {use}. Scale {scale}, {channels} input channel{plural}, pixel values in [0, 1].
- Architecture: {architecture}. {parameters:,} parameters.
- Made from `{file}` (sha256 {sha256}) by converse_basicsr {version}.

## Use

With converse_basicsr{also} installed:

    {load}
    restored = network({call})

## Options

{options}

## Licence

{licence}

## What this card does not say

Training data, training options and measured quality are not known to the program that wrote it. Add them here.
"""


def model_card(built: Built, folder: str, repo_id: str | None, source: dict, licence: str | None) -> str:
    """README.md with the metadata that Hugging Face reads.

    Args:
        built: the network.
        folder: the name of the model's folder.
        repo_id: USER/NAME, or None.
        source: of the file that it is made from: file, sha256, and published (its entry in the catalogue, or None).
        licence: the identifier of a licence, or None.
    """
    network, kind = built.network, built.options["type"]
    stated = f"{licence}, as stated by who made this card." if licence else "No licence is stated."
    load = "from converse_basicsr import load_network\n\n    network = load_network"
    return _TEMPLATE.format(
        licence_id=source["published"].licence_id if source["published"] else licence or "unknown",
        title=repo_id or folder,
        words=built.words,
        use=_USES.get(kind, "super-resolution"),
        architecture=_OTHERS.get(kind, _CONVERSE),
        channels=network.in_channels,
        plural="" if network.in_channels == 1 else "s",
        scale=network.scale,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        file=source["file"],
        sha256=source["sha256"],
        version=__version__,
        also=" and huggingface_hub" if repo_id else "",
        load=f'from huggingface_hub import snapshot_download\n    {load}(snapshot_download("{repo_id}"))'
        if repo_id
        else f'{load}("{folder}")',
        call="lq, kernel, scale" if takes_kernel(network) else "lq",
        options="\n".join(f"    {name}: {value}" for name, value in built.options.items()),
        licence=source["published"].licence if source["published"] else stated,
    )
