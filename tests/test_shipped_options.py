"""The option files that are shipped: valid, alike where they are compared, and copied by ``basicsr options``."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import REPOSITORY
from tiny import write_images

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr import Converse2D
from converse_basicsr.benchmark import runner
from converse_basicsr.checks import check_run
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.options.constructors import check_type
from converse_basicsr.options.reading import read_options
from converse_basicsr.options.schema import check_schema
from converse_basicsr.preparation import demo

from basicsr.archs import build_network
from basicsr.utils.registry import DATASET_REGISTRY, MODEL_REGISTRY

FILES = [
    path
    for path in sorted((REPOSITORY / "options").rglob("*.yml"))
    if path.parent.name != "benchmark"  # of another form: test_benchmark.py
]


def name_of(path) -> str:
    """Of the run: files of a folder begin with its name, so that no run replaces one of another file."""
    return "_".join((*path.relative_to(REPOSITORY / "options").parts[:-1], path.stem))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_parses_and_builds(path):
    opt = read_options(str(path))
    check_schema(opt, is_train="train" in opt)
    assert opt["name"] == name_of(path)
    check_type("model_type", opt["model_type"], MODEL_REGISTRY, "model")
    assert sum(parameter.numel() for parameter in build_network(opt["network_g"]).parameters()) > 0
    for dataset in opt["datasets"].values():
        check_type("type", dataset["type"], DATASET_REGISTRY, "dataset")


def on_stand_ins(opt: dict, folder) -> dict:
    """The options with small images in place of data sets that are not at hand."""
    write_images(folder / "images", size=96)
    np.save(folder / "psf.npy", np.ones((7, 7)))
    for section in opt["datasets"].values():
        if not section["dataroot_gt"].startswith("datasets/demo"):
            section["dataroot_gt"] = str(folder / "images/HR")
            section["io_backend"] = {"type": "disk"}
            section.update({"dataset_enlarge_ratio": 100, "gt_size": 48} if "gt_size" in section else {})
        if str(section.get("psf", "")).endswith(".npy"):
            section["psf"] = str(folder / "psf.npy")
    opt["path"]["pretrain_network_g"] = None
    return opt


TRAINED = [path for path in FILES if "train" in read_options(str(path)) and "realesrnet" not in path.stem]


@pytest.mark.parametrize("path", TRAINED, ids=name_of)
def test_passes_its_own_checks(path, in_tmp, monkeypatch):
    monkeypatch.setattr(demo, "TRAIN", ("rocket.jpg",))
    opt = on_stand_ins(read_options(str(path)), in_tmp)
    demo.build_demo_if_asked_for(opt)
    check_run(opt, is_train=True)


def test_srresnet_differs_in_the_network_alone():
    opts = [read_options(str(REPOSITORY / "options" / f"{stem}.yml")) for stem in ("converse_srresnet", "srresnet")]
    assert [opt.pop("name") for opt in opts] == ["converse_srresnet", "srresnet"]
    assert [opt["network_g"].pop("type") for opt in opts] == ["ConverseSRResNet", "MSRResNet"]
    assert opts[0] == opts[1]


NOT_IN_THE_PAPER = {"kernel_residual": False, "reuse_input": False}


def forced_values(path: Path, variant: str) -> list[str]:
    """What the comment at the head of an option file forces for a variant."""
    text = path.read_text().replace(" \\\n#  ", "")
    (forced,) = re.findall(f"# {variant}: --force_yml (.+)", text)
    return forced.split()


@pytest.mark.parametrize(
    ("name", "variant", "changed"),
    [
        ("conversenet", "Depthwise-conv variant", {"spatial_op": "conv"}),
        ("converse_usrnet", "Depthwise-conv variant", {"spatial_op": "conv", **NOT_IN_THE_PAPER}),
        ("converse_usrnet", "The paper's form", NOT_IN_THE_PAPER),
    ],
)
def test_the_forced_values_in_the_header_give_the_variant(name, variant, changed):
    path = REPOSITORY / "options" / f"{name}.yml"
    opt, forced = read_options(str(path)), read_options(str(path), forced_values(path, variant))
    network = build_network(forced["network_g"])
    assert any(isinstance(module, Converse2D) for module in network.modules()) == ("spatial_op" not in changed)
    assert forced.pop("name") != opt.pop("name")
    assert forced == {**opt, "network_g": {**opt["network_g"], **changed}}


def test_dncnn_is_trained_as_converse_dncnn():
    opts = [read_options(str(REPOSITORY / "options" / f"{stem}.yml")) for stem in ("converse_dncnn", "dncnn")]
    for opt in opts:
        del opt["name"], opt["network_g"]
    assert opts[0] == opts[1]


PAPER = [path for path in FILES if path.parent.name == "paper"]


@pytest.mark.parametrize("path", PAPER, ids=name_of)
def test_the_paper_networks_take_the_published_weights(path, assets):
    section = read_options(str(path))["network_g"]
    weights = path.stem.removeprefix("test_")
    build_network(section).load_state_dict(torch.load(assets / "weights" / f"{weights}.pth", weights_only=True))


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


# --- for editors, and for users without a checkout -------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((REPOSITORY / "options").rglob("*.yml")), ids=lambda path: path.stem)
def test_the_first_line_names_the_schema(path):
    (schema,) = re.findall(r"^# yaml-language-server: \$schema=(.+)$", path.read_text().splitlines()[0])
    kind = "benchmark_file" if path.parent.name == "benchmark" else "option_file"
    assert (path.parent / schema).is_file() and schema.endswith(f"{kind}.schema.json")


def options_command(*arguments: str) -> int:
    return main(["options", *arguments])


def test_every_file_is_listed_with_its_subject(capsys):
    assert options_command("list") == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert len(rows) == len(list((REPOSITORY / "options").rglob("*.yml")))
    assert rows["converse_srresnet"] == "Super-resolution x4 on the demo photographs"
    assert {"paper/converse_dncnn", "benchmark/smoke"} <= rows.keys()


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("converse_dncnn", ["converse_dncnn.yml", "option_file.schema.json"]),
        ("paper/conversenet.yml", ["option_file.schema.json", "paper/conversenet.yml"]),
        (
            "benchmark/small_upsamplers",  # its recipe is another file's
            [f"benchmark/{file}" for file in ("benchmark_file.schema.json", "small_sr_x4.yml", "small_upsamplers.yml")],
        ),
    ],
)
def test_a_file_is_copied_with_what_it_refers_to(in_tmp, capsys, name, files):
    assert options_command("copy", name, "--to", "mine") == 0
    assert sorted(path.relative_to("mine").as_posix() for path in Path("mine").rglob("*.*")) == files
    assert sorted(capsys.readouterr().out.splitlines()) == [f"wrote mine/{file}" for file in files]


def test_all_files_are_copied(in_tmp):
    assert options_command("copy", "all") == 0
    copied, shipped = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (in_tmp / "options", REPOSITORY / "options")
    )
    assert copied == shipped


def test_nothing_is_overwritten_without_force(in_tmp, capsys):
    assert options_command("copy", "dncnn") == 0
    Path("options/dncnn.yml").write_text("mine")
    assert options_command("copy", "dncnn") == 2
    assert "options/dncnn.yml already exists; --force replaces it" in capsys.readouterr().err
    assert options_command("copy", "all") == 2
    assert Path("options/dncnn.yml").read_text() == "mine" and not Path("options/srresnet.yml").exists()
    assert options_command("copy", "srresnet") == 0  # the schema is there already, and is the same
    assert options_command("copy", "dncnn", "--force") == 0
    assert Path("options/dncnn.yml").read_bytes() == (REPOSITORY / "options/dncnn.yml").read_bytes()


def test_a_name_that_does_not_exist_and_a_folder_that_cannot_be_written(in_tmp, capsys):
    assert options_command("copy", "dncn") == 2
    assert "no option file named dncn; did you mean dncnn? (see basicsr options list)" in capsys.readouterr().err
    Path("file").touch()
    assert options_command("copy", "dncnn", "--to", "file/x") == 2
    assert "cannot write file/x/dncnn.yml: Not a directory" in capsys.readouterr().err


def test_the_smoke_benchmark_is_found_from_any_folder(in_tmp, monkeypatch):
    def stop(_: None) -> None:
        raise UserError("read")

    read = []
    monkeypatch.setattr(runner, "run_benchmark", lambda benchmark, *_: stop(read.append(benchmark)))
    assert main(["benchmark", "--smoke"]) == 2
    assert [benchmark.name for benchmark in read] == ["smoke"]
