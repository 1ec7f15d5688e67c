"""What the shapes of a state dict tell about a network: one function per network, from shapes to options.

A function may raise KeyError, IndexError or ValueError where the shapes are not those of its network.
"""

from collections.abc import Callable, Mapping
from math import isqrt

from ..networks.upscaling import STAGES

Shapes = Mapping[str, tuple[int, ...]]
CHOICE = "choice"  # marks options of which shapes leave several values


def of_converse_dncnn(shapes: Shapes) -> dict:
    num_feat, num_in_ch = shapes["m_head.0.weight"][:2]
    num_out_ch = shapes["m_tail.0.weight"][0]
    return {"num_in_ch": num_in_ch, "num_out_ch": num_out_ch, **_blocks(shapes, "m_body", num_feat)}


def of_conversenet(shapes: Shapes) -> dict:
    num_feat, num_in_ch = shapes["conv1.weight"][:2]
    num_out_ch = shapes["conv2.weight"][0]
    return {"num_in_ch": num_in_ch, "num_out_ch": num_out_ch, **_blocks(shapes, "p.m_body", num_feat)}


def of_converse_usrnet(shapes: Shapes) -> dict:
    psf_size, num_embed = isqrt(shapes["kernelnet.fc1.weight"][1]), shapes["convs.0.weight"][1]
    _require(shapes["kernelnet.fc3.weight"][0] == num_embed * psf_size**2)
    iterations = _count(shapes, "convs.{}.weight")
    options = {"num_iterations": iterations, "psf_size": psf_size, "num_embed": num_embed}
    options["adapt_to_noise"] = "d.noise_exponent" in shapes
    options["smooth_prior"] = "smoothing.weight" in shapes
    if options["smooth_prior"]:  # which needs the other two
        options |= {"kernel_residual": True, "reuse_input": True}
    return {**of_conversenet(shapes), **options}


def of_converse_srresnet(shapes: Shapes) -> dict:
    num_feat, num_in_ch = shapes["conv_first.weight"][:2]
    factors = tuple(shapes[f"up{i + 1}.weight"][-1] for i in range(_count(shapes, "up{}.weight", start=1)))
    return {
        "num_in_ch": num_in_ch,
        "num_out_ch": shapes["conv_last.weight"][0],
        **_blocks(shapes, "conv_body", num_feat),
        "upscale": _upscale(factors),
    }


def of_dncnn(shapes: Shapes) -> dict:
    num_feat, num_in_ch = shapes["body.0.weight"][:2]
    convolutions = [shape for shape in shapes.values() if len(shape) == 4]
    _require("body.1.weight" not in shapes)  # an activation with weights
    _require(convolutions[-1] == (num_in_ch, num_feat, 3, 3))  # FFDNet has more channels at its end
    _require(all(shape == (num_feat, num_feat, 3, 3) for shape in convolutions[1:-1]))
    return {
        "num_in_ch": num_in_ch,
        "num_feat": num_feat,
        "num_layer": len(convolutions),
        "batch_norm": any(name.endswith(".running_mean") for name in shapes),
    }


def of_upsampler_srresnet(shapes: Shapes) -> dict:
    num_feat, num_in_ch = shapes["conv_first.weight"][:2]
    wide = (num_feat, num_feat, 3, 3)
    _require(shapes["conv_hr.weight"] == shapes["body.0.conv1.weight"] == wide)
    return {
        "num_in_ch": num_in_ch,
        "num_out_ch": shapes["conv_last.weight"][0],
        "num_feat": num_feat,
        "num_block": _count(shapes, "body.{}.conv1.weight", like=wide),
        **_upsampler(shapes, num_feat),
    }


def of_deconvolution_resnet(shapes: Shapes) -> dict:
    num_feat, num_in_ch = shapes["conv_first.weight"][:2]
    num_block = _count(shapes, "body.{}.conv2.bias", like=(num_feat,))
    _require(shapes["conv_last.weight"] == (num_in_ch, num_feat, 3, 3))
    _require(len(shapes) == 4 + 4 * num_block)  # MSRResNet and EDSR have more
    return {"num_in_ch": num_in_ch, "num_feat": num_feat, "num_block": num_block}


READERS: dict[str, tuple[tuple[str, ...], Callable[[Shapes], dict]]] = {
    # network: keys that it has, and its function; the first whose keys are there is taken
    "ConverseDnCNN": (("m_head.0.weight", "m_body.0.conv1.1.weight", "m_tail.0.weight"), of_converse_dncnn),
    "ConverseUSRNet": (("kernelnet.fc1.weight", "d.alpha", "p.m_body.0.conv1.1.weight"), of_converse_usrnet),
    "ConverseNet": (("conv1.weight", "p.m_body.0.conv1.1.weight", "conv2.weight"), of_conversenet),
    "ConverseSRResNet": (("conv_first.weight", "conv_hres.conv1.1.weight", "conv_last.weight"), of_converse_srresnet),
    "UpsamplerSRResNet": (("conv_first.weight", "body.0.conv1.weight", "conv_hr.weight"), of_upsampler_srresnet),
    "DeconvolutionResNet": (("conv_first.weight", "body.0.conv1.weight", "conv_last.weight"), of_deconvolution_resnet),
    "DnCNN": (("body.0.weight", "body.0.bias", "body.2.weight"), of_dncnn),
}


def _blocks(shapes: Shapes, prefix: str, num_feat: int) -> dict:
    """Number and width of ConverseBlocks, and the options of their spatial operator."""
    weight, expand = shapes[f"{prefix}.0.conv1.3.weight"], (2 * num_feat, num_feat, 1, 1)
    count = _count(shapes, prefix + ".{}.conv1.1.weight", like=expand)
    _require(count == _count(shapes, prefix + ".{}.conv1.3.weight", like=weight))
    _require(count > 0 and len(weight) == 4 and weight[-2] == weight[-1])
    return {"num_feat": num_feat, "num_block": count, "kernel_size": weight[-1], **_spatial_op(weight)}


def _spatial_op(weight: tuple[int, ...]) -> dict:
    if weight[0] == 1:
        return {"spatial_op": "converse"}
    if weight[-1] % 2 == 0:  # which a transposed convolution cannot have
        return {"spatial_op": "conv"}
    return {"spatial_op": {CHOICE: ("conv", "conv_transpose")}}


def _upsampler(shapes: Shapes, num_feat: int) -> dict:
    """Upscaling factor and upsampler of UpsamplerSRResNet."""
    upconv, up = shapes.get("upconv1.weight"), shapes.get("up1.weight")
    stages = max(_count(shapes, "upconv{}.weight", start=1), _count(shapes, "up{}.weight", start=1))
    if "up1.encoder.weight" in shapes:
        upsampler, factor = "carafe", isqrt(shapes["up1.encoder.weight"][0] // 25)
    elif "up1.offset.weight" in shapes:
        upsampler, factor = "dysample", isqrt(shapes["up1.offset.weight"][0] // 8)
    elif up is None:
        upsampler, factor = "pixelshuffle", isqrt(upconv[0] // num_feat) if upconv else 0
    elif up[0] == 1:
        upsampler, factor = "converse", up[-1]
    elif up[-1] == 3:
        upsampler, factor = "nearest_conv", {CHOICE: (2, 3)} if stages == 1 else 2
    else:
        upsampler, factor = "conv_transpose", {4: 2, 5: 3}[up[-1]]
    return {"upscale": factor if isinstance(factor, dict) else _upscale((factor,) * stages), "upsampler": upsampler}


def _require(condition: bool) -> None:
    """The network that is built must not be larger than the file, so its widths must agree."""
    if not condition:
        raise ValueError("not the shapes of this network")


def _upscale(factors: tuple[int, ...]) -> int:
    return {stages: upscale for upscale, stages in STAGES.items()}[factors]


def _count(shapes: Shapes, pattern: str, start: int = 0, like: tuple[int, ...] | None = None) -> int:
    """How many consecutive numbers the pattern has keys for, of the given shape."""
    number = start
    while pattern.format(number) in shapes and like in (None, shapes[pattern.format(number)]):
        number += 1
    return number - start
