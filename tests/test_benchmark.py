"""basicsr benchmark: the option file, the runs, resuming after a kill, and equal samples of the data."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import cv2
import filelock
import numpy as np
import pytest
import torch
import yaml
from conftest import REPOSITORY
from tiny import options, write_images, write_options

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.benchmark import environment, runner, training
from converse_basicsr.benchmark.converse import holds_converse
from converse_basicsr.benchmark.folder import TRAINING, lock_file, locked
from converse_basicsr.benchmark.reporting import pages
from converse_basicsr.benchmark.results import note_journal
from converse_basicsr.benchmark.schedule import scale_recipe
from converse_basicsr.benchmark.spec import check_benchmark, read_benchmark
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.files.journal import Journal, read_entries
from converse_basicsr.inference.calling import call_network
from converse_basicsr.preparation import demo

from basicsr.archs import build_network

SMALL = {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 4, "num_block": 1, "upscale": 4}
MODELS = {
    "Converse SR": {"type": "ConverseSRResNet", **SMALL},
    "EDSR": {"type": "EDSR", **SMALL},
}
BREAKS = {"type": "EDSR", **SMALL, "img_range": 0.0}  # divides by it: the first loss is infinite


def write_benchmark(folder: Path, **changes) -> Path:
    """bench.yml of two small networks on small images; keys of the top level may be replaced."""
    opt = options(datasets__train__type="BicubicSRDataset", datasets__train__dataset_enlarge_ratio=100, val__val_freq=1)
    for section in opt["datasets"].values():
        section.pop("dataroot_lq")
    opt["datasets"]["val"]["type"] = "BicubicSRDataset"
    opt["datasets"]["val_2"] = {**opt["datasets"]["val"], "name": "again"}
    recipe = {key: opt[key] for key in ("scale", "datasets", "train", "val", "logger")}
    content = {"name": "bench", "seeds": [0, 1], "budget": {"iterations": 2}, "models": MODELS, "recipe": recipe}
    file = folder / "bench.yml"
    file.write_text(yaml.safe_dump({**content, **changes}, sort_keys=False))
    return file


@pytest.fixture
def here(in_tmp, monkeypatch):
    """Images and an option file; to save time, no costs and reports, and trainings run in this process."""
    write_images(in_tmp / "data")
    write_benchmark(in_tmp)
    monkeypatch.setattr(runner, "measure_cost", lambda network, inputs, scale, device: {"input": list(inputs[0].shape)})
    monkeypatch.setattr(pages, "write_report", lambda folder: [folder / "results.md"])
    monkeypatch.setattr(training, "run_command", lambda arguments, folder, log, look: main(arguments))
    return in_tmp


def bench(*arguments, code=0) -> dict:
    assert main(["benchmark", "-opt", "bench.yml", *arguments]) == code
    return results() if code in (0, 1) else {}


def results(folder="results/benchmark/bench") -> dict:
    return json.loads(Path(folder, "results.json").read_text())


def test_every_model_and_seed_is_trained_and_measured(here, capsys):
    content = bench()
    head, models = content["benchmark"], content["models"]
    assert head["sets"] == ["tiny_val", "again"] and head["metrics"] == {"psnr": "higher"} and head["finished"]
    assert head["baseline"]["name"] == "bicubic"
    assert list(head["baseline"]["sets"]["again"]["images"]) == ["image0", "image1", "image2"]
    assert list(models) == list(MODELS)
    for name, model in models.items():
        assert model["network"] == MODELS[name]
        assert model["cost"] == {"input": [1, 3, 16, 16], "environment": content["environment"]}
        assert model["uses_converse"] == (name == "Converse SR")
        assert list(model["runs"]) == ["0", "1"]
        for run in model["runs"].values():
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
    finals = [models["EDSR"]["runs"][seed]["final"]["tiny_val"]["mean"]["psnr"] for seed in "01"]
    assert finals[0] != finals[1]
    assert (
        "wrote results/benchmark/bench/results.json\nwrote results/benchmark/bench/results.md"
        in capsys.readouterr().out
    )


def test_the_last_network_is_validated_once_if_it_is_the_only_one(here):
    write_benchmark(here, seeds=[0], models={"EDSR": MODELS["EDSR"]})
    often = bench()["models"]["EDSR"]["runs"]["0"]
    once = bench("--force", "--force_yml", "recipe:val:val_freq=2")["models"]["EDSR"]["runs"]["0"]
    (journal,) = Path("results/benchmark/bench/experiments").glob("*/journal.jsonl")
    assert not any("set" in entry for entry in read_entries(journal))
    assert once["final"] == often["final"]
    (point,) = once["curve"]
    assert (point["iter"], point["seconds"]) == (2, once["seconds"])
    assert point["sets"]["again"]["psnr"] == pytest.approx(often["curve"][-1]["sets"]["again"]["psnr"], abs=1e-4)


def test_what_is_done_is_not_done_again(here, monkeypatch):
    write_benchmark(here, seeds=[0], models={"EDSR": MODELS["EDSR"]})
    first = bench()
    monkeypatch.setattr(runner, "train", None)
    monkeypatch.setattr(runner, "measure_baseline", None)
    assert bench() == first


def test_a_cost_that_is_taken_out_is_measured_again_and_nothing_else(here, monkeypatch):
    write_benchmark(here, seeds=[0], budget={"iterations": 1})
    first = bench()
    without = json.loads(json.dumps(first))
    del without["models"]["EDSR"]["cost"]
    Path("results/benchmark/bench/results.json").write_text(json.dumps(without))
    reported = []
    monkeypatch.setattr(pages, "write_report", lambda folder: reported.append(results(folder)) or [])
    for name in ("train", "measure_baseline"):
        monkeypatch.setattr(runner, name, None)
    monkeypatch.setattr(runner, "measure_cost", lambda *_: {"flops": 7})
    again = bench()
    assert again["models"]["EDSR"]["cost"] == {"flops": 7, "environment": first["environment"]}
    assert reported[-1] == again
    again["models"]["EDSR"]["cost"] = first["models"]["EDSR"]["cost"]
    assert again == first


@pytest.mark.parametrize(
    "section",
    [
        {"type": "BicubicSRDataset"},
        {"type": "PairedImageDataset", "dataroot_lq": "data/LR", "meta_info_file": "names.txt"},
    ],
    ids=lambda section: section["type"],
)
def test_two_images_of_one_name_are_refused_before_anything_is_trained(here, capsys, section):
    Path("data/HR/more").mkdir()
    shutil.copy("data/HR/image1.png", "data/HR/more/image1.png")
    Path("names.txt").write_text("image0.png\nimage1.png\nmore/image1.png\n")
    file = write_benchmark(here, seeds=[0])
    content = yaml.safe_load(file.read_text())
    datasets = content["recipe"]["datasets"]
    content["recipe"]["datasets"] = {"train": datasets["train"], "val": {**datasets["val"], **section}}
    file.write_text(yaml.safe_dump(content))
    bench(code=2)
    assert "data/HR/image1.png and data/HR/more/image1.png " in capsys.readouterr().err
    assert not Path("results/benchmark/bench/experiments").exists()


def test_an_image_restored_exactly_has_an_infinite_psnr(here, monkeypatch):
    """The baseline of a flat image; results.json, read again, says so in words."""
    cv2.imwrite("data/HR/image0.png", np.full((64, 64, 3), 127, np.uint8))
    write_benchmark(here, seeds=[0], budget={"iterations": 1}, models={"EDSR": MODELS["EDSR"]})
    content = bench()
    measured = content["benchmark"]["baseline"]["sets"]["tiny_val"]
    assert measured["images"]["image0"] == {"psnr": "inf"} and measured["mean"] == {"psnr": "inf"}
    assert measured["images"]["image1"]["psnr"] < 100
    assert content["models"]["EDSR"]["runs"]["0"]["status"] == "done"
    monkeypatch.setattr(runner, "train", None)
    assert bench() == content


@pytest.mark.parametrize(("value", "status"), [(math.inf, "waiting"), (math.nan, "diverged")])
def test_nan_alone_is_divergence(value, status):
    run = {"status": "waiting", "curve": []}
    note_journal(run, [{"iter": 7, "seconds": 1.0, "set": "a", "metrics": {"psnr": value}}])
    assert run["status"] == status and len(run["curve"]) == (status == "waiting")
    assert run.get("reason") == (None if status == "waiting" else "psnr is nan on a at iteration 7")


def test_a_diverged_model_is_noted_and_the_others_go_on(here):
    write_benchmark(here, seeds=[0], models={"Breaks": BREAKS, **MODELS})
    models = bench()["models"]
    run = models["Breaks"]["runs"]["0"]
    assert run["status"] == "diverged" and run["iterations"] == 1
    assert run["reason"] == "the loss l_pix is inf at iteration 1"
    assert run["curve"] == [] and run["final"] == {}
    assert all(models[name]["runs"]["0"]["status"] == "done" for name in MODELS)


def test_a_failed_run_is_tried_again(here, monkeypatch, capsys):
    """Out of memory, say: its process is killed."""
    run_command = training.run_command

    def fail(arguments, folder, log, look):
        return -signal.SIGKILL if "converse_sr_seed1" in arguments[2] else run_command(arguments, folder, log, look)

    monkeypatch.setattr(training, "run_command", fail)
    content = bench(code=1)
    run = content["models"]["Converse SR"]["runs"]["1"]
    assert (run["status"], run["reason"]) == ("stopped", "killed by SIGKILL (out of memory?)")
    assert content["benchmark"]["finished"] is None
    assert content["models"]["EDSR"]["runs"]["1"]["status"] == "done"
    assert "1 runs stopped early" in capsys.readouterr().out
    monkeypatch.setattr(training, "run_command", run_command)
    assert bench()["benchmark"]["finished"]


@pytest.mark.parametrize("budget", [{"iterations": 2}, {"minutes": 3}, None])
def test_a_forced_budget_takes_the_place_of_the_files(in_tmp, budget):
    path = str(write_benchmark(in_tmp, budget=budget))
    assert read_benchmark(path, ["budget:minutes=5"]).budget == {"minutes": 5}
    assert read_benchmark(path, ["seeds=[0]", "budget:iterations=7"]).budget == {"iterations": 7}
    with pytest.raises(UserError, match="budget: no option 'minuts'; did you mean minutes"):
        read_benchmark(path, ["budget:minuts=5"])


def test_minutes_become_iterations_by_a_measured_rate(here, monkeypatch):
    write_benchmark(here, seeds=[0], budget={"minutes": 0.002})

    monkeypatch.setattr(runner, "PROBE", (1, 3))
    for model in bench()["models"].values():
        rate, iterations = model["probe"]["seconds_per_iteration"], model["probe"]["iterations"]
        assert iterations == max(1, int(0.12 / rate))
        assert model["runs"]["0"]["iterations"] == iterations
    assert not list(Path("results/benchmark/bench/experiments").glob("[!.]*probe*"))


def test_a_changed_file_is_refused_and_force_starts_again(here, capsys):
    write_benchmark(here, seeds=[0], models={"EDSR": MODELS["EDSR"]})
    bench()
    write_benchmark(here, seeds=[1], models={"EDSR": MODELS["EDSR"]})
    bench(code=2)
    assert (
        "has results of other options (1 differ: seeds was [0], is [1]); choose another name, or --force"
        in capsys.readouterr().err
    )
    assert list(bench("--force")["models"]["EDSR"]["runs"]) == ["1"]
    archived = list(Path("results/benchmark").glob("bench_archived_*"))
    assert len(archived) == 1 and list(results(archived[0])["models"]["EDSR"]["runs"]) == ["0"]
    Path("other/bench").mkdir(parents=True)
    Path("other/bench/notes.txt").write_text("not ours")
    bench("--out", "other", code=2)
    assert "exists and has no benchmark.yml" in capsys.readouterr().err


def is_locked(file: Path) -> bool:
    """At once: a training may end while another process starts."""
    try:
        with filelock.FileLock(file, timeout=0):
            return False
    except filelock.Timeout:
        return True


def test_force_renames_a_folder_under_the_lock(here, monkeypatch, capsys):
    def prepare_folder(benchmark, out, force):
        assert is_locked(lock_file(out / benchmark.name))
        raise UserError("the lock is held")

    monkeypatch.setattr(runner, "prepare_folder", prepare_folder)
    bench("--force", code=2)
    assert "the lock is held" in capsys.readouterr().err


def test_an_output_that_is_a_file_is_named(in_tmp, capsys):
    Path("file").write_text("precious")
    assert main(["benchmark", "--smoke", "--out", "file"]) == 2
    assert "--out: file is not a folder" in capsys.readouterr().err


SWIN = {
    "type": "SwinIR",
    "upscale": 4,
    "img_size": 8,
    "window_size": 8,
    "embed_dim": 4,
    "depths": [2],
    "num_heads": [2],
}
SWIN |= {"mlp_ratio": 1, "upsampler": "pixelshuffledirect", "drop_path_rate": 0.5}  # draws while it is trained
SWIN_7 = {**SWIN, "img_size": 7, "window_size": 7}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"models": {**MODELS, "A": {**SWIN, "window_size": None}}},
            "A: network_g:window_size: must be an integer of 1 or more, got None",
        ),
        ({"models": {**MODELS, "A": {**SWIN_7, "upscale": 2}}}, "network_g: SwinIR makes"),
        (
            {"models": {**MODELS, "A": {"type": "EDSR", "num_feats": 4}}},
            "models: A: network_g: EDSR has no option",
        ),
        (
            {"models": {**MODELS, "A": {"type": "MSRResNet", "upscale": 2}}},
            "models: A: network_g: MSRResNet makes",
        ),
        (
            {"models": {"A": {"type": "EDRS"}, **MODELS, "B": {"type": "RCAN"}}},
            r"A: network_g:type: no arch named 'EDRS'.*; B: network_g: RCAN needs",
        ),
        (
            {"models": {"A": {**MODELS["EDSR"], "model_type": "SRMode"}}},
            "A: model_type: no model named 'SRMode'; did you mean SRModel?",
        ),
        (
            {"models": {"A b": MODELS["EDSR"], "a-B": MODELS["EDSR"]}},
            "models:a-B: its files would have the same names as those of A b",
        ),
        ({"models": {"debug": MODELS["EDSR"]}}, "models:debug: must have letters or digits, without .debug."),
        ({"models": {"A": {}}}, "models:A:type is missing"),
        ({"models": {}}, "models: must not be empty"),
        ({"seeds": [0, 0]}, "seeds: must all be different"),
        ({"seeds": 3}, "seeds: must be a list of integers"),
        ({"budget": {}}, "budget: must be {iterations: N} or {minutes: M}"),
        ({"budget": {"hours": 1}}, "budget: no option 'hours'"),
        ({"budget": {"minutes": 0}}, "budget:minutes: must be a number above 0, got 0"),
        ({"budget": {"iterations": 1.5}}, "budget:iterations: must be an integer of 1 or more, got 1.5"),
        ({"name": "a/b"}, "name: must be letters"),
        ({"seed": [0]}, "no option 'seed'; did you mean seeds"),
        ({"entrants": MODELS}, "bench.yml: no option 'entrants'"),
    ],
)
def test_wrong_files_are_refused_before_anything_is_trained(in_tmp, changes, message):
    write_images(in_tmp / "data")
    with pytest.raises(UserError, match=message):
        check_benchmark(read_benchmark(str(write_benchmark(in_tmp, **changes))))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("recipe:train:optim_g:lr=0", "bench.yml: recipe:train:optim_g:lr: must be a number above 0"),
        ("recipe:datasets:train:dataroot_gt=nowhere", "recipe: datasets:train:dataroot_gt: no such file or folder"),
        ("recipe:manual_seed=1", "recipe: no option 'manual_seed'"),
        ("recipe:datasets:val_2:name=tiny_val", "recipe:datasets: must hold val sets with different names"),
        ("recipe:train:total_iter=0", "recipe:train:total_iter: must be an integer of 1 or more, got 0"),
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


# --- after a kill ---


def test_a_broken_off_training_goes_on_from_its_last_state(here, monkeypatch):
    """A real training in its own process, ended by Ctrl-C in this one, and gone on with."""
    write_benchmark(here, seeds=[0], budget={"iterations": 400}, models={"EDSR": MODELS["EDSR"]})
    forced = [
        "recipe:train:total_iter=400",
        "recipe:train:scheduler:periods=[400]",
        "recipe:val:val_freq=400",
        "recipe:logger:print_freq=5",
        "recipe:logger:save_checkpoint_freq=10",
    ]
    in_this_process = training.run_command
    folder = here / "results/benchmark/bench"

    was_locked = []

    def interrupt(run, entries):
        if entries and entries[-1]["iter"] >= 20:
            was_locked.append(is_locked(lock_file(folder, TRAINING)))
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "run_command", REAL_COMMAND)
    monkeypatch.setattr(training, "POLL", 0.05)
    monkeypatch.setattr(runner, "note_journal", interrupt)
    bench("--force_yml", *forced, code=130)
    assert was_locked[0] and not is_locked(lock_file(folder, TRAINING))  # the training ended too
    run = results()["models"]["EDSR"]["runs"]["0"]
    assert (run["status"], run["reason"]) == ("stopped", "interrupted")
    journal = folder / "experiments/bench_edsr_seed0/journal.jsonl"
    before = read_entries(journal)
    with journal.open("a") as file:
        file.write('{"iter": 300, "sec')  # half a line, as a kill leaves it

    monkeypatch.setattr(training, "run_command", in_this_process)
    monkeypatch.setattr(runner, "note_journal", note_journal)
    run = bench("--force_yml", *forced)["models"]["EDSR"]["runs"]["0"]
    assert (run["status"], run["iterations"]) == ("done", 400)
    after = read_entries(journal)
    kept = [entry for entry in before if entry["iter"] <= 10]  # the first state, at least, was there
    assert after[: len(kept)] == kept  # not begun anew
    iterations = [entry["iter"] for entry in after if "losses" in entry]
    assert iterations == list(range(5, 401, 5))  # none twice
    seconds = [entry["seconds"] for entry in after]
    assert seconds == sorted(seconds) and run["seconds"] == seconds[-1]


REAL_COMMAND = training.run_command


KILLED = """
import sys
from pathlib import Path
from converse_basicsr.benchmark import folder, training
bench = Path("bench")
with folder.locked(bench):
    training.run_command(["train", "-opt", "opt.yml", "--root", "bench", "--no_report"], bench, bench / "log", print)
"""


def test_a_training_that_outlives_its_benchmark_is_waited_for(in_tmp, capsys):
    write_images(in_tmp / "data")
    options_file = {"datasets__train__dataset_enlarge_ratio": 100, "train__scheduler__periods": [50], "val": None}
    write_options(in_tmp / "opt.yml", train__total_iter=50, **options_file)
    folder = Path("bench")
    folder.mkdir()
    benchmark = subprocess.Popen([sys.executable, "-c", KILLED])
    while not (folder / "experiments").is_dir():
        assert benchmark.poll() is None
        time.sleep(0.05)
    benchmark.kill()
    benchmark.wait()
    assert not is_locked(lock_file(folder)) and is_locked(lock_file(folder, TRAINING))
    with locked(folder):
        assert (folder / "experiments/tiny/models/net_g_latest.pth").is_file()
    assert "bench: another process works on it; waiting for its end" in capsys.readouterr().out


def test_a_journal_that_cannot_be_rewritten_stays_whole(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal.jsonl", print_freq=1)
    for iteration in (1, 2, 3):
        journal.trained(iteration, {"l_pix": 0.5})
    before = journal.path.read_text()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            journal.resume(1)
    assert journal.path.read_text() == before
    journal.resume(1)
    assert [entry["iter"] for entry in read_entries(journal.path)] == [1]


# --- where it ran, and what it is ---


def test_a_gpu_that_is_not_used_is_not_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: f"GPU {device}")
    on_cpu, on_gpu = environment.environment("cpu"), environment.environment("cuda:1")
    assert on_cpu["device"] == "cpu" and "GPU" not in on_cpu["hardware"]
    assert on_gpu["device"] == "cuda:1" and on_gpu["hardware"] == f"GPU cuda:1; {on_cpu['hardware']}"
    assert f"{torch.get_num_threads()} threads" in on_cpu["hardware"]


@pytest.mark.parametrize(
    ("num_gpu", "devices"), [({}, ["cuda:0", "cuda:1"]), ({"num_gpu": 1}, ["cuda:0"]), ({"num_gpu": 0}, ["cpu"])]
)
def test_the_devices_are_those_of_num_gpu(monkeypatch, num_gpu, devices):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert runner.used_devices(types.SimpleNamespace(recipe=num_gpu)) == devices


def test_the_commit_of_an_enclosing_repository_is_not_ours(tmp_path):
    installed = tmp_path / "venv/site-packages"
    installed.mkdir(parents=True)
    (tmp_path / "setup.py").write_text("")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    for command in (["init", "-q"], ["add", "setup.py"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *command], check=True)
    assert environment.commit(installed) == "not a checkout"
    (installed / "setup.py").write_text("")
    assert environment.commit(installed) == "not a checkout"
    assert len(environment.commit(tmp_path)) == 10


SMALL_USRNET = {"type": "ConverseUSRNet", "num_feat": 4, "num_iterations": 1, "num_block": 0}


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({"type": "ConverseSRResNet", **SMALL}, True),
        ({"type": "ConverseSRResNet", **SMALL, "spatial_op": "conv"}, False),
        ({"type": "ConverseSRResNet", **SMALL, "spatial_op": "conv_transpose"}, False),
        ({"type": "UpsamplerSRResNet", **SMALL, "upsampler": "converse"}, True),
        ({"type": "UpsamplerSRResNet", **SMALL, "upsampler": "carafe"}, False),
        (SMALL_USRNET, True),  # no block: the data step alone
        ({**SMALL_USRNET, "num_block": 1, "spatial_op": "conv"}, False),
        ({"type": "MSRResNet", **SMALL}, False),
        (SWIN, False),
    ],
)
def test_which_networks_have_the_operator(network, expected):
    assert holds_converse(build_network(network)) == expected


def test_an_image_of_no_whole_windows_is_checked_measured_and_trained_on(here):
    """A window of 7, input of 16 x 16 and patches of 8 x 8."""
    write_benchmark(here, seeds=[0], budget={"iterations": 1}, models={"Swin": SWIN_7})
    swin = bench()["models"]["Swin"]
    assert swin["cost"]["input"] == [1, 3, 21, 21]
    assert swin["runs"]["0"]["status"] == "done"


# --- the option files ---

MERGED = """
name: bench
seeds: [0]
x-feat: &feat {num_feat: 4, upscale: 4}
models:
  A: &a {<<: *feat, type: MSRResNet}
  B: {<<: [*a, *feat], num_feat: 8}
recipe:
  scale: 4
  datasets:
    train: {name: train, type: A, io_backend: {type: disk}, num_worker_per_gpu: 0, batch_size_per_gpu: 1}
    val: &val {name: one, type: BicubicSRDataset, dataroot_gt: here, io_backend: {type: disk}}
    val_2: {<<: *val, name: two}
  train:
    total_iter: 5
    optim_g: {type: Adam, lr: 1}
    scheduler: {type: CosineAnnealingRestartLR, periods: [5]}
  val: {val_freq: 1, save_img: false, metrics: {psnr: &psnr {type: calculate_psnr}, again: *psnr}}
  logger: {print_freq: 1, save_checkpoint_freq: 1, use_tb_logger: false}
"""


def test_merge_keys_are_read_and_share_nothing(in_tmp):
    Path("bench.yml").write_text(MERGED)
    benchmark = read_benchmark("bench.yml", ["recipe:datasets:val:io_backend:type=lmdb"])
    assert [model.network for model in benchmark.models] == [
        {"type": "MSRResNet", "num_feat": 4, "upscale": 4},
        {"type": "MSRResNet", "num_feat": 8, "upscale": 4},
    ]
    assert {name: section["io_backend"]["type"] for name, section in benchmark.sets.items()} == {
        "one": "lmdb",
        "two": "disk",
    }
    assert benchmark.metrics == {"psnr": {"type": "calculate_psnr"}, "again": {"type": "calculate_psnr"}}
    assert "*" not in yaml.safe_dump(benchmark.options) and "x-feat" not in benchmark.options


FILES = sorted((REPOSITORY / "options/benchmark").glob("*.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_model_of_the_option_files_builds(path):
    benchmark = read_benchmark(str(path))
    assert benchmark.name == path.stem
    color = next(iter(benchmark.sets.values())).get("color", "rgb")
    lq = torch.rand(1, 1 if color == "gray" else 3, 16, 16)
    for model in benchmark.models:
        if model.network["type"] == "BM3D":
            pytest.importorskip("bm3d")
        network = build_network(model.network).eval()
        size = next(iter(benchmark.sets.values())).get("psf_size", 7)
        kernel = torch.full((1, 1, size, size), 1 / size**2)
        with torch.no_grad():
            output = call_network(network, lq, kernel, benchmark.scale)
        assert output.shape == (*lq.shape[:2], 16 * benchmark.scale, 16 * benchmark.scale)


def test_the_smoke_file_passes_its_checks(in_tmp, monkeypatch):
    monkeypatch.setattr(demo, "TRAIN", ("rocket.jpg",))
    benchmark = read_benchmark(str(REPOSITORY / "options/benchmark/smoke.yml"))
    demo.build_demo_if_asked_for(benchmark.recipe)
    check_benchmark(benchmark)


def test_either_a_file_or_smoke(capsys):
    for arguments in ([], ["-opt", "bench.yml", "--smoke"]):
        assert main(["benchmark", *arguments]) == 2
        assert "give either an option file, -opt FILE, or --smoke" in capsys.readouterr().err
