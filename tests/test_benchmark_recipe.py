"""The recipe of a benchmark: paths in the home folder, and recipes of other files."""

from pathlib import Path

import pytest
import yaml
from tiny import options, write_images

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.benchmark.final_metrics import measure_baseline
from converse_basicsr.benchmark.spec import check_benchmark, read_benchmark
from converse_basicsr.errors import UserError

MODELS = {"EDSR": {"type": "EDSR", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 4, "num_block": 1, "upscale": 4}}


@pytest.fixture
def home(in_tmp, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(in_tmp))
    write_images(in_tmp / "data")
    return in_tmp


def write_benchmark(**changes) -> str:
    opt = options(**changes)
    recipe = {key: opt[key] for key in ("scale", "datasets", "train", "val", "logger")}
    content = {"name": "bench", "seeds": [0], "models": MODELS, "recipe": recipe}
    Path("bench.yml").write_text(yaml.safe_dump(content))
    return "bench.yml"


def test_folders_in_the_home_folder(home):
    roots = {f"datasets__{phase}__dataroot_{kind}": f"~/data/{folder}"
             for phase in ("train", "val") for kind, folder in (("gt", "HR"), ("lq", "LR"))}  # fmt: skip
    benchmark = read_benchmark(write_benchmark(**roots))
    check_benchmark(benchmark)
    measured = measure_baseline(benchmark, home / "out")["sets"]["tiny_val"]
    assert sorted(measured["images"]) == ["image0", "image1", "image2"]
    assert benchmark.run_options(benchmark.models[0], 0, 2)["datasets"]["train"]["dataroot_gt"] == f"{home}/data/HR"
    assert benchmark.options["recipe"]["datasets"]["train"]["dataroot_gt"] == "~/data/HR"  # the same file elsewhere


def test_scale_of_none(home):
    benchmark = read_benchmark(write_benchmark(scale=None))
    assert benchmark.scale == 1 and "scale" not in benchmark.run_options(benchmark.models[0], 0, 2)


def test_restarts_are_scaled_with_the_budget(home):
    scheduler = {"type": "MultiStepLR", "milestones": [4, 10], "restarts": [0, 6], "restart_weights": [1, 0.5]}
    benchmark = read_benchmark(write_benchmark(train__scheduler=scheduler, train__total_iter=12))
    for iterations, milestones, restarts in ((6, [2, 5], [0, 3]), (1, [1, 1], [0, 1])):
        made = benchmark.run_options(benchmark.models[0], 0, iterations)["train"]["scheduler"]
        assert (made["milestones"], made["restarts"]) == (milestones, restarts)


@pytest.mark.parametrize("content", [{"name": "other"}, {"recipe": None}, {"recipe": "third.yml"}])
def test_a_file_without_a_recipe_is_named(home, content):
    Path("other.yml").write_text(yaml.safe_dump(content))
    Path("bench.yml").write_text(yaml.safe_dump({"name": "bench", "models": MODELS, "recipe": "other.yml"}))
    with pytest.raises(UserError, match=r"^bench.yml: recipe: other.yml has no section recipe$"):
        read_benchmark("bench.yml")
