"""Checks of networks: options, construction, checkpoint, and one forward pass."""

from pathlib import Path

import torch
from torch import nn

from ..errors import UserError
from ..files.checkpoint import misfit
from ..inference.calling import call_network
from ..weights.by_basicsr import build_arch
from ..weights.reading import state_dict_for
from ..weights.spandrel_arch import Spandrel

_CORNER = 48


def check_network(key: str, section: dict, paths: dict, must_load: bool) -> nn.Module:
    """Build the network of ``key`` (network_g, ...), check that its checkpoint fits, and return it.

    Raises:
        UserError: the type, an option, a value or the checkpoint does not fit.
    """
    network = build_arch(key, section)
    path = paths.get(f"pretrain_{key}")
    if path is not None:
        label = key.removeprefix("network_")
        _check_checkpoint(
            f"path:pretrain_{key}",
            Path(path),
            network,
            paths.get(f"param_key_{label}", "params"),
            paths.get(f"strict_load_{label}", True),
        )
    elif must_load and key == "network_g" and _has_parameters(network):
        raise UserError("path:pretrain_network_g is empty: a test needs weights")
    return network


def _has_parameters(network: nn.Module) -> bool:
    """Whether weights are to be loaded; Spandrel has read its own."""
    return not isinstance(network, Spandrel) and any(True for _ in network.parameters())


@torch.no_grad()
def check_fit(key: str, network: nn.Module, where: str, sample: dict, scale: int, window: int) -> None:
    """Run the network on the top left corner of a sample, as SRModel and RestorationModel would.

    Args:
        key: the network's key in the option file.
        network: the network.
        where: the data set's place in the option file.
        sample: a sample of that data set.
        scale: the upscaling factor.
        window: the model pads images to multiples of this.

    Raises:
        UserError: the network rejects the input, or its output has another shape than the ground truth.
    """
    lq, gt = sample.get("lq"), sample.get("gt")
    if not isinstance(lq, torch.Tensor) or lq.dim() != 3:
        return  # not an image
    corner = lq[None, :, :_CORNER, :_CORNER]
    kernel = sample["kernel"][None] if "kernel" in sample else None
    try:
        output = call_network(network.eval(), corner, kernel, scale, window)
    except Exception as error:  # a network may raise any exception over a bad input
        raise UserError(
            f"{key}: {type(network).__name__} cannot process the images of {where}, {tuple(lq.shape)}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    if gt is not None:
        expected = (1, *gt[:, : corner.shape[-2] * scale, : corner.shape[-1] * scale].shape)
        if lq.shape[-2] <= _CORNER and lq.shape[-1] <= _CORNER:
            expected = (1, *gt.shape)
        if tuple(output.shape) != expected:
            raise UserError(
                f"{key}: {type(network).__name__} makes {tuple(output.shape[1:])} from a {tuple(corner.shape[1:])} "
                f"image of {where}, but the ground truth is {expected[1:]}; check scale, upscale and gt_size"
            )


def _check_checkpoint(where: str, path: Path, network: nn.Module, param_key: str | None, strict: bool) -> None:
    try:
        _, loaded = state_dict_for(network, path, param_key)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    found = misfit(network, loaded, strict)
    if found:
        raise UserError(f"{where}: {path} does not fit {type(network).__name__}: {found}")


@torch.no_grad()
def check_discriminator(network: nn.Module, gt: torch.Tensor) -> None:
    """Run network_d on a ground-truth patch, as SRGANModel and ESRGANModel would.

    Raises:
        UserError: it rejects the patch.
    """
    try:
        network.eval()(gt[None])
    except Exception as error:  # a network may raise any exception over a bad input
        raise UserError(
            f"network_d: {type(network).__name__} cannot process patches of datasets:train, {tuple(gt.shape)}: "
            f"{str(error).splitlines()[0]}"
        ) from error
