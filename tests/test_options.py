"""The option files that are shipped: they parse, they fit what they name, and twins are twins."""

import inspect

import pytest
from conftest import REPOSITORY

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.checks import check_run, read_options
from converse_basicsr.data import demo

from basicsr.archs import build_network
from basicsr.utils.registry import DATASET_REGISTRY, MODEL_REGISTRY

FILES = sorted((REPOSITORY / "options").rglob("*.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parses_and_builds(path):
    opt = read_options(str(path))
    assert opt["name"] == path.stem
    assert opt["model_type"] in MODEL_REGISTRY
    assert sum(parameter.numel() for parameter in build_network(opt["network_g"]).parameters()) > 0
    for dataset in opt["datasets"].values():
        assert dataset["type"] in DATASET_REGISTRY


@pytest.mark.parametrize("path", [path for path in FILES if "train" in read_options(str(path))], ids=lambda p: p.stem)
def test_passes_its_own_checks(path, in_tmp, monkeypatch):
    monkeypatch.setattr(demo, "TRAIN", ("rocket.jpg",))
    opt = read_options(str(path))
    demo.build_demo_if_asked_for(opt)
    check_run(opt, is_train=True)


def test_srresnet_is_the_twin_of_converse_srresnet():
    converse, twin = (
        read_options(str(REPOSITORY / "options" / f"{name}.yml")) for name in ("converse_srresnet", "srresnet")
    )
    assert (converse.pop("name"), twin.pop("name")) == ("converse_srresnet", "srresnet")
    types = [opt["network_g"].pop("type") for opt in (converse, twin)]
    assert types == ["ConverseSRResNet", "MSRResNet"]
    assert converse == twin


def test_the_test_file_fits_what_the_training_file_writes():
    train, test = (
        read_options(str(REPOSITORY / "options" / f"{name}.yml"))
        for name in ("converse_srresnet", "test_converse_srresnet")
    )
    assert test["network_g"] == train["network_g"]
    assert test["path"]["pretrain_network_g"] == f"experiments/{train['name']}/models/net_g_latest.pth"


def test_every_option_of_the_network_is_a_constructor_name():
    for path in FILES:
        section = read_options(str(path))["network_g"]
        accepted = inspect.signature(type(build_network(section))).parameters
        assert set(section) - {"type"} <= set(accepted)
