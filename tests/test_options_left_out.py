"""Options that a file leaves out or sets to ~: the default that the reference states is the one that is used."""

import io
import sys
from pathlib import Path

import pytest
import torch
from tiny import options, write_images, write_options

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.checks.models import check_model
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.files.checkpoint import load_file
from converse_basicsr.inference import TILE_OVERLAP
from converse_basicsr.options.real_esrgan import RealESRGAN
from converse_basicsr.options.run_sections import Validation
from converse_basicsr.options.schema import check_schema
from converse_basicsr.options.training import Train
from converse_basicsr.training.finished_options import finish_options
from converse_basicsr.training.processes import Processes
from converse_basicsr.training.validation import validate

from basicsr.archs import build_network
from basicsr.data import build_dataset
from basicsr.models import build_model

STATE = Path("experiments/tiny/training_states/4.state")


@pytest.fixture(autouse=True)
def data(in_tmp):
    write_images(in_tmp / "data")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def validated(**changes) -> torch.Tensor:
    """Validate the tiny set once with a new network; return what was restored last."""
    torch.manual_seed(0)
    opt = finish_options(options(model_type="RestorationModel", **changes), ".", True)
    model = build_model(opt)
    restored = []
    test = model.test
    model.test = lambda: (test(), restored.append(model.output))
    validate(model, build_dataset(opt["datasets"]["val"]), opt, Processes())
    return restored[-1]


@pytest.mark.parametrize(("changes", "shown"), [({}, True), ({"val__pbar": True}, True), ({"val__pbar": False}, False)])
def test_progress_of_a_validation(monkeypatch, changes, shown):
    monkeypatch.setattr(sys, "stderr", Terminal())
    validated(**changes)
    assert ("validation tiny_val" in sys.stderr.getvalue()) == shown
    assert Validation.model_fields["pbar"].default is True


def test_overlap_of_tiles():
    tiles = {"val__tile": 2 * TILE_OVERLAP, "datasets__val__dataroot_lq": "data/HR", "scale": 1}
    changes = {**tiles, "network_g": {"type": "ConverseNet", "num_feat": 4, "num_block": 1}}
    images = [validated(**changes, **{"val__tile_overlap": overlap}) for overlap in (None, TILE_OVERLAP, 0)]
    assert torch.equal(images[0], images[1]) and not torch.equal(images[0], images[2])
    assert torch.equal(images[0], validated(**changes))
    assert Validation.model_fields["tile_overlap"].description.endswith(f"~: {TILE_OVERLAP}.")


def test_an_overlap_of_none_is_checked_as_the_default():
    opt = options(model_type="RestorationModel", val__tile=TILE_OVERLAP, val__tile_overlap=None)
    with pytest.raises(UserError, match=f"val:tile_overlap: must be less than val:tile, got {TILE_OVERLAP}"):
        check_model(opt, True)


@pytest.mark.parametrize("key", ["net_d_iters", "net_d_init_iters", "dcn_lr_mul", "flow_lr_mul"])
def test_a_number_that_basicsr_calculates_with_cannot_be_none(key):
    """BasicSR takes its default only if the key is left out."""
    with pytest.raises(UserError, match=f"^train:{key}: must be .*, got None"):
        check_schema(options(**{f"train__{key}": None}), True)
    assert Train.model_fields[key].default == (0 if key == "net_d_init_iters" else 1)


@pytest.mark.parametrize(("key", "default"), [("queue_size", 180), ("high_order_degradation", True)])
def test_an_option_of_real_esrgan_cannot_be_none(key, default):
    with pytest.raises(UserError, match=f"^{key}: must be .*, got None"):
        check_schema(options(**{key: None}), True)
    assert RealESRGAN.model_fields[key].default == default


def test_a_scale_of_none_is_no_scale():
    opt = finish_options(options(scale=None), ".", True)
    assert "scale" not in opt and "scale" not in opt["datasets"]["val"]


def test_a_training_set_of_none_is_that_of_a_test(capsys):
    network = options()["network_g"]
    torch.save(build_network(dict(network)).state_dict(), "net.pth")
    changes = {"train": None, "logger": None, "datasets__train": None, "val__val_freq": None, "val__suffix": None}
    paths = {"path__pretrain_network_g": "net.pth", "path__param_key_g": None}
    write_options(Path("tiny.yml"), **changes, **paths)
    assert main(["check", "-opt", "tiny.yml"]) == 0
    assert main(["test", "-opt", "tiny.yml", "--no_report"]) == 0
    assert "test of tiny_val: psnr" in capsys.readouterr().out


def test_an_optimiser_option_that_is_taken_out_is_the_default_after_a_resume(capsys):
    periods = {"train__scheduler__periods": [4]}
    before = {"type": "Adam", "lr": 1e-3, "weight_decay": 0.1, "betas": [0.5, 0.9], "eps": 1e-4}
    after = {"type": "Adam", "lr": 1e-3, "eps": 1e-6}
    for section, total, more in ((before, 2, []), (after, 4, ["--auto_resume"])):
        write_options(Path("tiny.yml"), train__optim_g=section, train__total_iter=total, **periods)
        assert main(["train", "-opt", "tiny.yml", "--no_report", *more]) == 0
    assert "changed option, applied: train:optim_g:weight_decay: 0.1 -> not set" in capsys.readouterr().out
    [group] = load_file(STATE)["optimizers"][0]["param_groups"]
    assert (group["weight_decay"], tuple(group["betas"]), group["eps"]) == (0, (0.9, 0.999), 1e-6)
