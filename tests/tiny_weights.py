"""Files of tiny networks with random weights, which carry their options."""

from pathlib import Path

import torch

from converse_basicsr.files.checkpoint import save_file
from converse_basicsr.networks import ConverseSRResNet, ConverseUSRNet, DnCNN

NETWORKS = {
    "sr": (ConverseSRResNet, {"num_feat": 4, "num_block": 1, "upscale": 2}),
    "usr": (ConverseUSRNet, {"num_feat": 4, "num_block": 1, "num_iterations": 1}),
    "gray": (DnCNN, {"num_feat": 4, "num_layer": 2}),
}


def save_network(file: str | Path, network: type, **options) -> None:
    torch.manual_seed(0)
    state_dict = network(**options).state_dict()
    save_file({"params": state_dict, "network_options": {"type": network.__name__, **options}}, file)


def save_networks(folder: Path) -> list[str]:
    """sr.pth, usr.pth and gray.pth; returns their paths."""
    for name, (network, options) in NETWORKS.items():
        save_network(folder / f"{name}.pth", network, **options)
    return [str(folder / f"{name}.pth") for name in NETWORKS]
