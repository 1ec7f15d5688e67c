"""The classes that BasicSR builds by name from YAML."""

import pytest
import torch
from tiny import options, write_images

import converse_basicsr.archs  # noqa: F401 (registers)
from converse_basicsr import Converse2D, ConverseBlock, networks
from converse_basicsr.checks import check_run
from converse_basicsr.errors import UserError

from basicsr.archs import build_network

CONVERSE2D = {"type": "Converse2D", "in_channels": 3, "out_channels": 3, "kernel_size": 5}
BLOCK = {"type": "ConverseBlock", "num_feat": 3}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        *(({"type": name}, getattr(networks, name)) for name in networks.__all__),
        (CONVERSE2D, Converse2D),
        (BLOCK, ConverseBlock),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_built_by_name(section, expected):
    assert type(build_network(section)) is expected


def test_options_of_a_layer_reach_it():
    assert build_network({**CONVERSE2D, "scale": 2})(torch.rand(1, 3, 8, 9)).shape == (1, 3, 16, 18)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({**CONVERSE2D, "scale": 4}, None),
        ({**CONVERSE2D, "scale": 2}, "network_g: Converse2D makes .* check scale"),
        (
            {**CONVERSE2D, "scale": 4, "kernel": 3},
            "network_g: Converse2D has no option 'kernel'; did you mean kernel_size",
        ),
        ({"type": "Converse2D", "in_channels": 3}, "network_g: Converse2D needs the option 'out_channels'"),
        (BLOCK, "network_g: ConverseBlock makes .* check scale"),
        ({**BLOCK, "num_feat": 8}, "network_g: ConverseBlock cannot process the images of datasets:train"),
    ],
)
def test_layers_are_checked_as_networks_are(in_tmp, section, message):
    write_images(in_tmp / "data")
    opt = options(network_g=section)
    if message is None:
        check_run(opt, is_train=True)
    else:
        with pytest.raises(UserError, match=message):
            check_run(opt, is_train=True)
