"""basicsr benchmark: the option file, the runs, what survives a kill, and equal draws of the data."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from conftest import REPOSITORY
from tiny import options, write_images

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.benchmark import runner, training
from converse_basicsr.benchmark.folder import locked
from converse_basicsr.benchmark.schedule import scale_recipe
from converse_basicsr.benchmark.spec import check_benchmark, read_benchmark
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError

from basicsr.archs import build_network
from basicsr.train import create_train_val_dataloader
from basicsr.utils import get_root_logger, set_random_seed

SMALL = {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 4, "num_block": 1, "upscale": 4}
ENTRANTS = {
    "Converse SR": {"type": "ConverseSRResNet", **SMALL},
    "EDSR": {"type": "EDSR", **SMALL},
}
BREAKS = {"type": "EDSR", **SMALL, "img_range": 0.0}  # divides by it: the first loss is infinite


def write_benchmark(folder: Path, **changes) -> Path:
    """bench.yml of two small networks on small images; keys of the top level may be replaced."""
    opt = options(datasets__train__type="BicubicSRDataset", val__val_freq=1)
    for section in opt["datasets"].values():
        section.pop("dataroot_lq")
    opt["datasets"]["val"]["type"] = "BicubicSRDataset"
    opt["datasets"]["val_2"] = {**opt["datasets"]["val"], "name": "again"}
    recipe = {key: opt[key] for key in ("scale", "datasets", "train", "val", "logger")}
    content = {"name": "bench", "seeds": [0, 1], "budget": {"iterations": 2}, "entrants": ENTRANTS, "recipe": recipe}
    file = folder / "bench.yml"
    file.write_text(yaml.safe_dump({**content, **changes}, sort_keys=False))
    return file


@pytest.fixture
def here(in_tmp, monkeypatch):
    """Images, option file, and stand-ins: cost and report are others' work, and trainings run in this process."""
    write_images(in_tmp / "data")
    write_benchmark(in_tmp)
    stand_ins(monkeypatch)
    monkeypatch.setattr(training, "run_command", lambda arguments, log, lock, look: main(arguments))
    return in_tmp


def stand_ins(monkeypatch) -> None:
    import types

    cost, reporting = (types.ModuleType(f"converse_basicsr.benchmark.{name}") for name in ("cost", "reporting"))
    cost.measure_cost = lambda network, inputs, scale, device: {"input": list(inputs[0].shape), "scale": scale}
    reporting.write_report = lambda folder: [folder / "results.md"]
    for module in (cost, reporting):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def bench(*arguments, code=0) -> dict:
    assert main(["benchmark", "-opt", "bench.yml", *arguments]) == code
    return results() if code in (0, 1) else {}


def results(folder="results/benchmark/bench") -> dict:
    return json.loads(Path(folder, "results.json").read_text())


def test_every_entrant_and_seed_is_trained_and_measured(here, capsys):
    content = bench()
    head, entrants = content["benchmark"], content["entrants"]
    assert head["sets"] == ["tiny_val", "again"] and head["metrics"] == ["psnr"] and head["finished"]
    assert head["baseline"]["name"] == "bicubic"
    assert list(head["baseline"]["sets"]["again"]["images"]) == ["image0", "image1", "image2"]
    assert list(entrants) == list(ENTRANTS)
    for name, entrant in entrants.items():
        assert entrant["network"] == ENTRANTS[name]
        assert entrant["cost"] == {"input": [1, 3, 16, 16], "scale": 4}
        assert list(entrant["runs"]) == ["0", "1"]
        for run in entrant["runs"].values():
            assert (run["status"], run["reason"], run["iterations"]) == ("done", None, 2)
            assert [point["iter"] for point in run["curve"]] == [1, 2]
            assert 0 < run["curve"][0]["seconds"] <= run["curve"][1]["seconds"] <= run["seconds"]
            for set_name, measured in run["final"].items():
                mean = sum(metrics["psnr"] for metrics in measured["images"].values()) / 3
                assert measured["mean"]["psnr"] == pytest.approx(mean)
                assert run["curve"][-1]["sets"][set_name]["psnr"] == pytest.approx(mean, abs=1e-4)
            for path in run["images"]["tiny_val"].values():
                assert Path("results/benchmark/bench", path).is_file()
    assert Path("results/benchmark/bench/images/again/image1_gt.png").is_file()
    finals = [entrants["EDSR"]["runs"][seed]["final"]["tiny_val"]["mean"]["psnr"] for seed in "01"]
    assert finals[0] != finals[1]
    assert (
        "wrote results/benchmark/bench/results.json\nwrote results/benchmark/bench/results.md"
        in capsys.readouterr().out
    )


def test_what_is_done_is_not_done_again(here, monkeypatch):
    first = bench()
    monkeypatch.setattr(runner, "train", None)
    monkeypatch.setattr(runner, "measure_baseline", None)
    assert bench() == first


def test_a_diverged_entrant_is_noted_and_the_others_go_on(here):
    write_benchmark(here, seeds=[0], entrants={"Breaks": BREAKS, **ENTRANTS})
    entrants = bench()["entrants"]
    run = entrants["Breaks"]["runs"]["0"]
    assert run["status"] == "diverged" and run["iterations"] == 1
    assert run["reason"] == "l_pix is inf at iteration 1"
    assert run["curve"] == [] and run["final"] == {}
    assert all(entrants[name]["runs"]["0"]["status"] == "done" for name in ENTRANTS)


def test_a_failed_run_is_tried_again(here, monkeypatch, capsys):
    """Out of memory, say: its process is killed."""
    run_command = training.run_command

    def fail(arguments, log, lock, look):
        return -signal.SIGKILL if "converse_sr_seed1" in arguments[2] else run_command(arguments, log, lock, look)

    monkeypatch.setattr(training, "run_command", fail)
    content = bench(code=1)
    run = content["entrants"]["Converse SR"]["runs"]["1"]
    assert (run["status"], run["reason"]) == ("stopped", "killed by SIGKILL (out of memory?)")
    assert content["benchmark"]["finished"] is None
    assert content["entrants"]["EDSR"]["runs"]["1"]["status"] == "done"
    assert "1 runs stopped before their end" in capsys.readouterr().out
    monkeypatch.setattr(training, "run_command", run_command)
    assert bench()["benchmark"]["finished"]


def test_minutes_become_iterations_by_a_measured_rate(here, monkeypatch):
    write_benchmark(here, seeds=[0], budget={"minutes": 0.002})
    monkeypatch.setattr(training, "PROBE", (1, 3))
    monkeypatch.setattr(runner, "PROBE", (1, 3))
    for entrant in bench()["entrants"].values():
        rate, iterations = entrant["probe"]["seconds_per_iteration"], entrant["probe"]["iterations"]
        assert iterations == max(1, int(0.12 / rate))
        assert entrant["runs"]["0"]["iterations"] == iterations
    assert not list(Path("results/benchmark/bench/experiments").glob("*probe*"))


def test_a_changed_file_is_refused_and_force_begins_anew(here, capsys):
    bench()
    write_benchmark(here, seeds=[0])
    bench(code=2)
    assert (
        "has results of other options: seeds was [0, 1], is [0]; take another name, or --force"
        in capsys.readouterr().err
    )
    assert list(bench("--force")["entrants"]["EDSR"]["runs"]) == ["0"]
    archived = list(Path("results/benchmark").glob("bench_archived_*"))
    assert len(archived) == 1 and len(results(archived[0])["entrants"]["EDSR"]["runs"]) == 2
    Path("other/bench").mkdir(parents=True)
    Path("other/bench/notes.txt").write_text("not ours")
    bench("--out", "other", code=2)
    assert "is there and is no benchmark's" in capsys.readouterr().err


WINDOWED = {"model_type": "WindowedRestorationModel", "type": "SwinIR", "window_size": 8, "upscale": 4}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"entrants": {**ENTRANTS, "A": {"type": "EDSR", "num_feats": 4}}},
            "entrants: A: network_g: EDSR has no option",
        ),
        (
            {"entrants": {**ENTRANTS, "A": {"type": "MSRResNet", "upscale": 2}}},
            "entrants: A: network_g: MSRResNet makes",
        ),
        (
            {"entrants": {"A": {"type": "EDRS"}, **ENTRANTS, "B": {"type": "RCAN"}}},
            r"A: network_g:type: no arch named 'EDRS'.*; B: network_g: RCAN needs",
        ),
        (
            {"entrants": {"A": {"type": "EDSR", "model_type": "SRModel"}}},
            "A: model_type: SRModel does not keep the draws",
        ),
        ({"entrants": {"A b": ENTRANTS["EDSR"], "a-B": ENTRANTS["EDSR"]}}, "entrants:a-B: its files would have"),
        ({"entrants": {"debug": ENTRANTS["EDSR"]}}, "entrants:debug: must be letters"),
        ({"entrants": {"A": {}}}, "no entrants:A:type"),
        ({"entrants": {}}, "entrants: must hold names"),
        ({"seeds": [0, 0]}, "seeds: each may be there once"),
        ({"seeds": 3}, "seeds: must be a list of whole numbers"),
        ({"budget": {"hours": 1}}, "budget: must be {iterations: N} or {minutes: M}"),
        ({"budget": {"minutes": 0}}, "budget:minutes: must be a number above 0"),
        ({"budget": {"iterations": 1.5}}, "budget:iterations: must be a whole number"),
        ({"name": "a/b"}, "name: must be letters"),
        ({"seed": [0]}, "no option 'seed'"),
    ],
)
def test_wrong_files_are_refused_before_anything_is_trained(in_tmp, changes, message):
    write_images(in_tmp / "data")
    with pytest.raises(UserError, match=message):
        check_benchmark(read_benchmark(str(write_benchmark(in_tmp, **changes))))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("recipe:train:optim_g:lr=-1", "bench.yml: recipe: train:optim_g:lr: must be a number above 0"),
        ("recipe:datasets:train:dataroot_gt=nowhere", "recipe: datasets:train:dataroot_gt: no such file or folder"),
        ("recipe:manual_seed=1", "recipe:manual_seed: is not the recipe's"),
        ("recipe:datasets:val_2:name=tiny_val", "each with a name of its own"),
        ("recipe:train:total_iter=0", "recipe:train:total_iter: must be a whole number"),
    ],
)
def test_a_wrong_recipe_is_said_once(in_tmp, entry, message):
    write_images(in_tmp / "data")
    with pytest.raises(UserError, match=message):
        check_benchmark(read_benchmark(str(write_benchmark(in_tmp)), [entry]))


def test_a_budget_keeps_the_shares_of_the_recipe():
    recipe = {
        "train": {"total_iter": 1000, "warmup_iter": 100, "scheduler": {"periods": [300, 700], "milestones": [500]}},
        "val": {"val_freq": 200},
        "logger": {"save_checkpoint_freq": 333, "print_freq": 7},
    }
    scaled = scale_recipe(recipe, 100)
    assert scaled == {
        "train": {"total_iter": 100, "warmup_iter": 10, "scheduler": {"periods": [30, 70], "milestones": [50]}},
        "val": {"val_freq": 20},
        "logger": {"save_checkpoint_freq": 34, "print_freq": 7},
    }
    assert scale_recipe(recipe, 1000) == recipe
    assert sum(scale_recipe(recipe, 7)["train"]["scheduler"]["periods"]) >= 7


# --- what killed processes leave ---


def start(**environment) -> subprocess.Popen:
    """The real command, with the stand-ins for cost and report put in before it."""
    code = (
        "import pytest, sys; sys.path.insert(0, sys.argv.pop(1)); from test_benchmark import stand_ins;"
        "stand_ins(pytest.MonkeyPatch()); from converse_basicsr.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    tests = str(Path(__file__).parent)
    command = [sys.executable, "-c", code, tests, "benchmark", "-opt", "bench.yml"]
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": path}
    )


def test_a_killed_run_goes_on_from_its_last_state(in_tmp):
    write_images(in_tmp / "data")
    write_benchmark(in_tmp, seeds=[0], budget={"iterations": 20000}, entrants={"EDSR": ENTRANTS["EDSR"]})
    opt = yaml.safe_load(Path("bench.yml").read_text())
    opt["recipe"]["train"].update(total_iter=20000, scheduler={"type": "MultiStepLR", "milestones": [9000]})
    opt["recipe"]["val"]["val_freq"] = 20000
    opt["recipe"]["logger"].update(print_freq=5, save_checkpoint_freq=10)
    Path("bench.yml").write_text(yaml.safe_dump(opt))
    process = start()
    experiment = Path("results/benchmark/bench/experiments/bench_edsr_seed0")
    deadline = time.monotonic() + 120
    while not (experiment / "training_states/20.state").is_file():
        assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()
        time.sleep(0.1)
    training_process = int(Path("results/benchmark/bench/lock").read_text())
    process.send_signal(signal.SIGTERM)
    printed = process.communicate()[0]
    assert process.returncode == 130 and "the same command goes on" in printed
    with pytest.raises(ProcessLookupError):
        os.kill(training_process, 0)
    run = results()["entrants"]["EDSR"]["runs"]["0"]
    assert (run["status"], run["reason"]) == ("stopped", "interrupted")
    assert run["iterations"] >= 20
