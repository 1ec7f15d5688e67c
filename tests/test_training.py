"""The training loop: exact iterations, data as a function of seed and iteration, resume, states, stops."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError

import psutil
import pytest
import torch
from filelock import FileLock
from tiny import options, write_images, write_options

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.cli import main
from converse_basicsr.files import checkpoint
from converse_basicsr.files.checkpoint import load_file
from converse_basicsr.files.journal import read_entries
from converse_basicsr.training import experiment, loop
from converse_basicsr.training.display import duration
from converse_basicsr.training.finished_options import finish_options
from converse_basicsr.training.processes import Processes
from converse_basicsr.training.samples import SEED
from converse_basicsr.training.training_data import TrainingData

from basicsr.archs import build_network
from basicsr.models.base_model import BaseModel
from basicsr.models.realesrnet_model import RealESRNetModel
from basicsr.models.sr_model import SRModel
from basicsr.utils.registry import MODEL_REGISTRY

FOLDER = Path("experiments/tiny")
TRAIN = "datasets__train__"
DEGRADED = {  # random kernels and noise for every sample
    "name": "tiny",
    "type": "BlurDataset",
    "dataroot_gt": "data/HR",
    "io_backend": {"type": "disk"},
    "psf": ["gaussian", "motion"],
    "sigma": [1, 9],
    "gt_size": 32,
    "use_hflip": True,
    "use_rot": True,
    "num_worker_per_gpu": 0,
    "batch_size_per_gpu": 2,
}


@pytest.fixture(autouse=True)
def data(in_tmp):
    write_images(in_tmp / "data")
    return in_tmp


def write(**changes) -> None:
    """An option file; the schedule reaches total_iter."""
    total = changes.setdefault("train__total_iter", 6)
    scheduler = {**options()["train"]["scheduler"], "periods": [total]}
    write_options(Path("tiny.yml"), **{"train__scheduler": scheduler, **changes})


def train(*arguments: str, code: int = 0, **changes) -> None:
    write(**changes)
    assert main(["train", "-opt", "tiny.yml", "--no_report", *arguments]) == code


def states() -> list[str]:
    return sorted(path.name for path in (FOLDER / "training_states").iterdir())


def weights(name: str = "latest") -> dict[str, torch.Tensor]:
    levels = load_file(FOLDER / f"models/net_g_{name}.pth")
    return {f"{level}.{name}": value for level in ("params", "params_ema") for name, value in levels[level].items()}


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


# --- the data ---


def batches(start: int = 0, count: int = 3, rank: int = 0, world_size: int = 1, **changes) -> list[dict]:
    """Batches of one process, from a position on."""
    processes = Processes(rank, world_size, world_size > 1)
    opt = finish_options(options(datasets={"train": {**DEGRADED, **changes}}, scale=2), ".", True)
    return list(TrainingData(opt, processes).batches(start, count))


def equal(one: dict, other: dict) -> bool:
    return all(torch.equal(one[name], other[name]) for name in ("gt", "lq", "kernel", SEED))


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_the_number_of_workers(workers):
    expected = batches(count=5)
    found = batches(count=5, num_worker_per_gpu=workers)
    assert all(map(equal, expected, found))
    assert not torch.equal(expected[0]["gt"], expected[1]["gt"])


def test_batches_continue_at_a_position():
    whole = batches(count=5)
    assert all(map(equal, whole[2:], batches(start=4, count=3)))


def test_two_processes_share_the_batches_of_one():
    whole = batches(count=4, batch_size_per_gpu=4)
    shares = [batches(count=4, rank=rank, world_size=2) for rank in range(2)]
    for batch, *parts in zip(whole, *shares, strict=True):
        joined = {name: torch.cat([part[name] for part in parts]) for name in ("gt", "lq", "kernel", SEED)}
        assert equal(batch, joined)


def test_the_seed_decides_the_batches():
    write_images(Path("more"), count=8)
    opts = [options(datasets={"train": {**DEGRADED, "dataroot_gt": "more/HR"}}, scale=2, manual_seed=s) for s in (1, 2)]
    first, second = (next(TrainingData(finish_options(opt, ".", True), Processes()).batches(0, 1)) for opt in opts)
    assert first["gt_path"] != second["gt_path"] and not torch.equal(first["lq"], second["lq"])


@pytest.mark.parametrize(("ratio", "batch"), [(1, 2), (1, 7), (3, 4)])
def test_every_image_comes_once_in_an_epoch_of_the_images(ratio, batch):
    """Three images; an epoch holds each of them `ratio` times, and batches run on through epochs."""
    epochs = 2 * batch
    found = batches(count=3 * ratio * epochs // batch, batch_size_per_gpu=batch, dataset_enlarge_ratio=ratio)
    paths = [path for part in found for path in part["gt_path"]]
    assert len(paths) == 3 * ratio * epochs
    for epoch in range(epochs):
        part = paths[epoch * 3 * ratio : (epoch + 1) * 3 * ratio]
        assert {path: part.count(path) for path in part} == dict.fromkeys(set(paths), ratio)


def test_use_shuffle_false_keeps_the_order():
    paths = [path for part in batches(use_shuffle=False) for path in part["gt_path"]]
    assert paths == [f"data/HR/image{number}.png" for number in (0, 1, 2, 0, 1, 2)]


# --- iterations and resume ---


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_total_iter_is_reached_exactly(batch):
    """Three images: the last batch of an epoch is incomplete, or none is complete."""
    train(train__total_iter=7, **{f"{TRAIN}batch_size_per_gpu": batch})
    assert "7.state" in states() and load_file(FOLDER / "training_states/7.state")["position"] == 7 * batch
    assert {entry["iter"] for entry in read_entries(FOLDER / "journal.jsonl")} == set(range(1, 8))


ADVERSARIAL = {
    "model_type": "ESRGANModel",
    "network_d": {"type": "UNetDiscriminatorSN", "num_in_ch": 3, "num_feat": 4},
    "train__optim_d": {"type": "Adam", "lr": 1e-3},
    "train__gan_opt": {"type": "GANLoss", "gan_type": "vanilla", "real_label_val": 1.0, "fake_label_val": 0.0,
                       "loss_weight": 0.1},
    "train__scheduler": {"type": "MultiStepLR", "milestones": [2, 4], "gamma": 0.5},
}  # fmt: skip
SWIN = {"type": "SwinIR", "upscale": 4, "img_size": 8, "window_size": 4, "embed_dim": 8, "depths": [2],
        "num_heads": [2], "mlp_ratio": 1, "upsampler": "pixelshuffledirect", "drop_rate": 0.2}  # fmt: skip
HALF = {"train__amp": "bf16", "train__accum_iter": 2, "train__clip_grad_norm": 1e-3}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model_type": "RestorationModel", f"{TRAIN}num_worker_per_gpu": 1},
        {"model_type": "RestorationModel", **HALF, f"{TRAIN}batch_size_per_gpu": 3},
        {"model_type": "RestorationModel", "train__amp": "fp16", "train__pixel_opt__loss_weight": 3e3},
        {"model_type": "SwinIRModel", "network_g": SWIN},  # dropout
        {"train__ema_decay": 0},
        {**ADVERSARIAL, "model_type": "SRGANModel"},
        ADVERSARIAL,
    ],
    ids=[
        "SRModel",
        "RestorationModel",
        "bf16 in clipped parts",
        "fp16 with skipped steps",
        "SwinIRModel",
        "without EMA",
        "SRGANModel",
        "ESRGANModel",
    ],
)
def test_a_resumed_training_ends_bitwise_equal(changes, monkeypatch):
    """Killed in the iteration after the save, and resumed from the state."""
    changes = {"train__total_iter": 5, "logger__save_checkpoint_freq": 3, **changes}
    train(**changes)
    expected = {file.name: load_file(file) for file in (FOLDER / "models").glob("*_latest.pth")}
    with pytest.raises(SystemExit), monkeypatch.context() as patch:
        die_in(5, patch)
        train("--force", **changes)
    assert states() == ["3.state"]
    train("--auto_resume", **changes)
    for name, content in expected.items():
        found = load_file(FOLDER / "models" / name)
        for level in content.keys() & {"params", "params_ema"}:
            assert same(content[level], found[level]), (name, level)


def die_in(iteration: int, monkeypatch) -> None:
    real = BaseModel.update_learning_rate

    def update(self, current_iter, warmup_iter=-1):
        if current_iter == iteration:
            raise SystemExit(9)
        real(self, current_iter, warmup_iter)

    monkeypatch.setattr(BaseModel, "update_learning_rate", update)


def test_a_pool_of_pairs_is_part_of_the_state(monkeypatch):
    """RealESRNetModel mixes the pairs of earlier iterations; here a model with the same pool, since that needs CUDA."""

    @MODEL_REGISTRY.register()
    class PoolModel(SRModel):
        queue_size = 8

        def feed_data(self, data):
            super().feed_data(data)
            if self.is_train:
                RealESRNetModel._dequeue_and_enqueue(self)

    try:
        monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)
        changes = {"model_type": "PoolModel"}
        changes |= {"train__total_iter": 9, "logger__save_checkpoint_freq": 7}
        train(**changes)
        expected = weights()
        with pytest.raises(SystemExit), monkeypatch.context() as patch:
            die_in(9, patch)
            train("--force", **changes)
        train("--auto_resume", **changes)
        assert same(expected, weights())
    finally:
        del MODEL_REGISTRY._obj_map["PoolModel"]


def test_a_damaged_state_is_left_for_the_one_before(capsys):
    train(logger__save_checkpoint_freq=2, train__total_iter=6)
    expected = weights()
    (FOLDER / "training_states/6.state").write_bytes(b"")
    file = FOLDER / "models/net_g_4.pth"
    weight = load_file(file)["params"]["conv_first.weight"].numpy().tobytes()
    file.write_bytes(file.read_bytes().replace(weight, weight[::-1]))
    train("--auto_resume", logger__save_checkpoint_freq=2, train__total_iter=6)
    printed = capsys.readouterr().out
    assert "6.state is empty, not a checkpoint; using the previous state" in printed
    assert "net_g_4.pth is damaged" in printed and "continuing from iteration 2 " in printed
    assert same(expected, weights())


def test_no_state_can_be_used(capsys):
    train(train__total_iter=2)
    (FOLDER / "training_states/2.state").write_bytes(b"junk")
    train("--auto_resume", train__total_iter=4, code=2)
    assert "all saved states are damaged: " in capsys.readouterr().err


def test_changed_options_are_named(capsys):
    train(train__total_iter=2)
    train("--auto_resume", train__total_iter=4, train__optim_g__lr=0.5, **{f"{TRAIN}batch_size_per_gpu": 1})
    printed = capsys.readouterr().out
    assert "changed option, applied: train:total_iter: 2 -> 4" in printed
    assert "changed option, applied: datasets:train:batch_size_per_gpu: 2 -> 1" in printed
    assert "the batch size is now 1 instead of 2" in printed
    assert "changed option, applied: train:optim_g:lr: 0.001 -> 0.5" in printed
    state = load_file(FOLDER / "training_states/4.state")
    assert state["position"] == 2 * 2 + 2 * 1
    assert state["optimizers"][0]["param_groups"][0]["initial_lr"] == 0.5


def test_a_changed_learning_rate_is_that_of_a_run_from_the_start():
    """The schedules depend on the initial rate alone, or scale it."""
    for scheduler in ({}, {"train__scheduler": {"type": "MultiStepLR", "milestones": [1, 3], "gamma": 0.5}}):
        rates = []
        for first in (1e-3, 2e-4):
            train("--force", train__total_iter=2, train__optim_g__lr=first, **scheduler)
            train("--auto_resume", train__total_iter=4, train__optim_g__lr=2e-4, **scheduler)
            rates.append(load_file(FOLDER / "training_states/4.state")["optimizers"][0]["param_groups"][0]["lr"])
        assert rates[0] == pytest.approx(rates[1], rel=1e-9)


def test_a_run_killed_before_its_first_state_starts_again(monkeypatch):
    changes = {"logger__keep_best": "psnr", "val__val_freq": 1, "logger__save_checkpoint_freq": 4}
    with pytest.raises(SystemExit), monkeypatch.context() as patch:
        die_in(3, patch)
        train(**changes)
    assert (FOLDER / "models/net_g_best.pth").is_file() and states() == []
    train("--auto_resume", **changes)
    assert "6.state" in states()


def test_a_finished_run_without_states_is_not_trained_over(capsys):
    train(train__total_iter=2)
    (FOLDER / "training_states/2.state").unlink()
    train("--auto_resume", train__total_iter=2, code=2)
    assert "experiments/tiny holds trained networks, but no state" in capsys.readouterr().err


def test_auto_resume_starts_from_resume_state_if_there_is_nothing_newer():
    train(train__total_iter=2)
    state = str(FOLDER / "training_states/2.state")
    train("--auto_resume", name="other", train__total_iter=4, path__resume_state=state)
    entries = read_entries(Path("experiments/other/journal.jsonl"))
    assert [entry["iter"] for entry in entries if "losses" in entry] == [3, 4]


def test_a_total_below_the_state_is_refused(capsys):
    train(train__total_iter=4)
    train("--auto_resume", train__total_iter=2, code=2)
    assert "train:total_iter: 2 is less than the iteration of the state" in capsys.readouterr().err


def test_another_network_does_not_fit_the_state(capsys):
    train(train__total_iter=2)
    train("--auto_resume", train__total_iter=4, network_g__num_feat=8, code=2)
    assert re.search(r"net_g_2.pth does not fit ConverseSRResNet: \d+ keys with another shape", capsys.readouterr().err)


def test_keep_last_spares_good_states_when_newer_ones_are_damaged():
    train(train__total_iter=6, logger__save_checkpoint_freq=2)
    (FOLDER / "training_states/6.state").write_bytes(b"junk")
    train("--auto_resume", train__total_iter=6, logger__save_checkpoint_freq=5, logger__keep_last=1)
    assert states() == ["6.state"] and load_file(FOLDER / "training_states/6.state")["iter"] == 6


def test_a_damaged_journal_does_not_stop_a_resume():
    train(train__total_iter=2)
    with (FOLDER / "journal.jsonl").open("ab") as file:
        file.write(b'\x00\xff}\n{"iter": 2}\n[1]}\n{half')
    train("--auto_resume", train__total_iter=4)
    assert [entry["iter"] for entry in read_entries(FOLDER / "journal.jsonl") if "losses" in entry] == [1, 2, 3, 4]


def test_an_absent_discriminator_is_no_network():
    train(train__total_iter=2, network_d=None)
    assert states() == ["2.state"]


def test_a_closed_pipe_ends_the_output_only():
    write(train__total_iter=30)
    command = f"{sys.executable} -m converse_basicsr train -opt tiny.yml --no_report | head -n 9"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.count("\n") == 9
    assert "30.state" in states()


def test_a_redirected_output_is_written_at_once():
    write(train__total_iter=100_000, logger__save_checkpoint_freq=100_000, val=None)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("out.txt", "w") as output:
        command = [sys.executable, "-m", "converse_basicsr", "train", "-opt", "tiny.yml"]
        process = subprocess.Popen(command, stdout=output, env=environment)
    end = time.monotonic() + 60
    while "iteration 2 " not in Path("out.txt").read_text() and time.monotonic() < end:
        time.sleep(0.1)
    process.kill()
    process.wait()
    assert "iteration 2 " in Path("out.txt").read_text()


def test_a_state_can_be_continued_under_another_name():
    train(train__total_iter=2)
    train(name="other", train__total_iter=4, path__resume_state=str(FOLDER / "training_states/2.state"))
    assert Path("experiments/other/training_states/4.state").is_file() and states() == ["2.state"]


def test_auto_resume_starts_from_resume_state_and_then_continues_its_own(capsys):
    train(train__total_iter=2)
    changes = {"name": "other", "path__resume_state": str(FOLDER / "training_states/2.state")}
    train("--auto_resume", train__total_iter=3, **changes)
    assert "continuing from iteration 2 " in capsys.readouterr().out
    train("--auto_resume", train__total_iter=5, **changes)
    assert "continuing from iteration 3 (experiments/other/" in capsys.readouterr().out
    Path("experiments/other/training_states/5.state").write_bytes(b"")
    train("--auto_resume", train__total_iter=5, **changes)
    assert "continuing from iteration 4 (experiments/other/" in capsys.readouterr().out


def edit(file: Path, **changes) -> None:
    """Replace entries of a saved file."""
    torch.save({**load_file(file), **changes}, file)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("iter", "2"),
        ("iter", -2),
        ("position", "x"),
        ("position", -3),
        ("manual_seed", "x"),
        ("optimizers", None),
        ("optimizers", [3]),
        ("schedulers", [3]),
        ("options", [1]),
        ("pool", [3]),
        ("pool", {"net_g": 3}),
        ("grad_scaler", {"scale": -1.0}),
        ("grad_scaler", {"scale": float("nan")}),
        ("grad_scaler", {"_growth_tracker": 0.5}),
        ("grad_scaler", {"growth_factor": 2.0}),
    ],
)
def test_a_state_with_a_wrong_entry_is_named(entry, value, capsys):
    train(train__total_iter=2)
    edit(FOLDER / "training_states/2.state", **{entry: value})
    train("--auto_resume", train__total_iter=4, code=2)
    message = capsys.readouterr().err
    assert "2.state is not a training state: its " in message and entry in message


def test_a_state_with_moments_of_another_network_is_named(capsys):
    train(train__total_iter=2)
    file = FOLDER / "training_states/2.state"
    optimizers = load_file(file)["optimizers"]
    optimizers[0]["state"][0]["exp_avg"] = torch.zeros(1, 2, 3)
    edit(file, optimizers=optimizers)
    train("--auto_resume", train__total_iter=4, code=2)
    assert "2.state does not fit the model: its optimiser has moments of another shape" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "path:resume_state: no such file"),
        (b"", "some.state is empty, not a checkpoint"),
        ({"params": {}}, "some.state is not a training state"),
        ({"iter": 2, "optimizers": [], "schedulers": []}, "no such checkpoint: .*net_g_2.pth"),
        ({"iter": -1, "optimizers": [], "schedulers": []}, "some.state is not a training state"),
        ({"iter": 10**30, "optimizers": [], "schedulers": []}, "some.state is not a training state"),
    ],
)
def test_a_file_that_is_not_a_state_is_named(content, message, capsys):
    file = Path("some.state")
    if content is not None:
        file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
    train(path__resume_state=str(file), code=2)
    assert re.search(message, capsys.readouterr().err)


def test_weights_given_as_a_state_are_named(capsys):
    train(train__total_iter=2)
    train(name="other", path__resume_state=str(FOLDER / "models/net_g_2.pth"), code=2)
    assert "is not a training state (N.state) but the weights of a network" in capsys.readouterr().err


# --- what is kept ---


def test_an_earlier_run_is_not_renamed_without_force(capsys):
    train(train__total_iter=2)
    train(train__total_iter=2, code=2)
    assert (
        "experiments/tiny holds a run that reached iteration 2. --auto_resume continues it" in capsys.readouterr().err
    )
    train("--force", train__total_iter=2)
    assert len(list(Path("experiments").glob("tiny_archived_*/models/net_g_2.pth"))) == 1


def test_two_runs_can_be_renamed_within_a_second(monkeypatch):
    monkeypatch.setattr(experiment, "_now", lambda: "now")
    for _ in range(4):
        train("--force", train__total_iter=1)
    names = {folder.name for folder in Path("experiments").glob("tiny_*")}
    assert names == {"tiny_archived_now", "tiny_archived_now_2", "tiny_archived_now_3"}


@pytest.mark.parametrize("file", ["experiments/tiny", "experiments/tiny/models"])
def test_a_file_in_the_place_of_a_folder_is_named(file, capsys):
    Path(file).parent.mkdir(parents=True)
    Path(file).write_text("precious")
    train(code=2)
    assert f"error: {file}: File exists" in capsys.readouterr().err
    assert Path(file).read_text() == "precious"


def test_newer_states_are_not_overwritten(capsys):
    train(logger__save_checkpoint_freq=2, train__total_iter=4)
    train(path__resume_state=str(FOLDER / "training_states/2.state"), code=2)
    assert "holds a newer state, 4.state, which this run would overwrite" in capsys.readouterr().err


def test_keep_last_deletes_older_states():
    train(logger__save_checkpoint_freq=1, logger__keep_last=2, train__total_iter=5)
    assert states() == ["4.state", "5.state"]
    assert {path.name for path in (FOLDER / "models").iterdir()} == {f"net_g_{n}.pth" for n in (4, 5, "latest")}


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_keep_best_keeps_the_best_networks(better):
    train(logger__keep_best="psnr", val__val_freq=1, val__metrics__psnr__better=better, train__optim_g__lr=0.1)
    entries = [entry for entry in read_entries(FOLDER / "journal.jsonl") if "metrics" in entry]
    best = (max if better == "higher" else min)(entries, key=lambda entry: entry["metrics"]["psnr"])
    saved = load_file(FOLDER / "models/net_g_best.pth")
    assert (saved["iter"], saved["value"]) == (best["iter"], best["metrics"]["psnr"]) and len(entries) == 6


def test_a_checkpoint_names_the_options_of_its_network():
    train(train__total_iter=1)
    section = load_file(FOLDER / "models/net_g_latest.pth")["network_options"]
    assert section == {"type": "ConverseSRResNet", **section} and section["num_in_ch"] == 3  # a default
    network = build_network(section)
    network.load_state_dict(load_file(FOLDER / "models/net_g_latest.pth")["params_ema"])


def test_one_run_at_a_time(capsys, monkeypatch):
    monkeypatch.setattr(experiment, "PATIENCE", 0)
    Path("experiments").mkdir()
    with FileLock("experiments/.tiny.lock"):
        train(code=2)
    assert "experiments/tiny: another run is using this folder" in capsys.readouterr().err


@pytest.mark.parametrize("root", ["none", "data/HR/image0.png"])
def test_a_missing_root_is_named(root, capsys):
    train("--root", root, code=2)
    assert f"--root: no such folder: {root}" in capsys.readouterr().err


def test_a_full_disk_is_one_line_and_keeps_earlier_states(capsys, monkeypatch):
    monkeypatch.setattr(checkpoint, "ATTEMPTS", 1)
    train(train__total_iter=2)
    for name in ("models/net_g_4.pth", "training_states/4.state"):
        target = FOLDER / f"{name}.partial"
        monkeypatch.setattr(experiment, "remove_partial", lambda folder: None)
        target.symlink_to("/dev/full")
        train("--auto_resume", train__total_iter=4, code=2)
        error = capsys.readouterr().err
        assert "No space left on device" in error and error.count("\n") == 1
        assert states() == ["2.state"]
        (FOLDER / "models/net_g_4.pth").unlink(missing_ok=True)


# --- what ends a run ---


def test_a_broken_pipe_does_not_end_a_training(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as broken, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", broken)
        train(train__total_iter=2)
    assert states() == ["2.state"]


def test_a_closed_output_does_not_end_a_training(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        train(train__total_iter=2)
    assert states() == ["2.state"]


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_signal_saves_and_stops(number, workers, monkeypatch, capsys):
    """The whole process group gets the signal, as from Ctrl-C or a scheduler."""
    write(train__total_iter=400, **{f"{TRAIN}num_worker_per_gpu": workers})
    command = [sys.executable, "-m", "converse_basicsr", "train", "-opt", "tiny.yml"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True)  # fmt: skip
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("iteration 3 "):
            os.killpg(process.pid, getattr(signal, number))
    assert process.wait() == 128 + getattr(signal, number), "".join(lines)
    stopped = re.match(rf"stopped by {number} at iteration (\d+) of 400; state saved. To continue, ", lines[-1])
    assert stopped and f"{stopped[1]}.state" in states()
    assert not psutil.pid_exists(process.pid) and not any(
        "tiny.yml" in " ".join(p.info["cmdline"] or []) and p.cwd() == os.getcwd()
        for p in psutil.process_iter(["cmdline"])
    )


def test_a_stopped_training_ends_bitwise_equal(monkeypatch):
    train(train__total_iter=5)
    expected = weights()
    real = loop.Training._train

    def stop_after_3(self, batch, waited):
        real(self, batch, waited)
        if self.iteration == 3:
            os.kill(os.getpid(), signal.SIGUSR1)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "_train", stop_after_3)
        train("--force", train__total_iter=5, code=128 + signal.SIGUSR1)
    assert "3.state" in states()
    train("--auto_resume", train__total_iter=5)
    assert same(expected, weights())


@pytest.mark.parametrize("what", ["the loss l_pix is inf", "a gradient is not finite", "a parameter is not finite"])
def test_what_is_not_finite_stops_the_run(what, monkeypatch, capsys):
    real = SRModel.optimize_parameters

    def spoil(self, current_iter):
        real(self, current_iter)
        if current_iter == 3:
            parameter = next(self.net_g.parameters())
            if "loss" in what:
                self.log_dict["l_pix"] = float("inf")
            else:
                (parameter.grad if "gradient" in what else parameter.data).view(-1)[0] = float("nan")

    monkeypatch.setattr(SRModel, "optimize_parameters", spoil)
    train(code=2)
    error = capsys.readouterr().err
    assert f"the training diverged at iteration 3: {what}. Files of this batch: data/HR/image" in error
    assert "Last saved state: 2." in error and error.count("\n") == 1
    assert states() == ["2.state"]
    assert read_entries(FOLDER / "journal.jsonl")[-1]["diverged"] == f"{what} at iteration 3"


def spoil(image: str) -> None:
    """Replace an image at once: a worker may be reading it."""
    Path("junk").write_bytes(b"junk")
    os.replace("junk", image)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_breaks_during_the_training_is_named(workers, capsys, monkeypatch):
    real = loop.Training._train

    def break_a_file(self, batch, waited):
        if self.iteration == 1:
            spoil("data/HR/image1.png")
        real(self, batch, waited)

    monkeypatch.setattr(loop.Training, "_train", break_a_file)
    changes = {"train__total_iter": 40, "val": None, f"{TRAIN}num_worker_per_gpu": workers}
    train(code=2, **changes)
    error = capsys.readouterr().err
    assert "datasets:train: cannot read data/LR/image1.png, data/HR/image1.png: OpenCV cannot decode it" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("most", [1, 2])
def test_files_that_break_can_be_skipped(most, workers, capsys, monkeypatch):
    real = loop.Training._train

    def break_two_files(self, batch, waited):
        if self.iteration == 1:
            for number in (1, 2):
                spoil(f"data/LR/image{number}.png")
        real(self, batch, waited)

    monkeypatch.setattr(loop.Training, "_train", break_two_files)
    changes = {f"{TRAIN}num_worker_per_gpu": workers, f"{TRAIN}skip_unreadable": most}
    train(code=0 if most == 2 else 2, train__total_iter=40, val=None, **changes)
    printed = capsys.readouterr()
    assert "warning: datasets:train: skipped, cannot be read: data/LR/image" in printed.out
    assert ("2 samples cannot be read, skip_unreadable allows 1; the last one: data/LR/image" in printed.err) == (
        most == 1
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("DataLoader worker (pid 3) is killed by signal: Killed. "), "datasets:train: DataLoader worker"),
        (URLError("refused"), "train:perceptual_opt: its weights cannot be downloaded (refused); copy them to "),
    ],
)
def test_failures_of_the_machine_are_explained(error, message, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(SRModel, "feed_data", fail)
    train(code=2)
    assert f"error: {message}" in capsys.readouterr().err


def test_unexpected_errors_are_one_line_with_the_traceback_in_the_log(monkeypatch, capsys):
    monkeypatch.setattr(SRModel, "optimize_parameters", lambda self, current_iter: 1 / 0)
    train(code=2)
    assert re.fullmatch(
        r"basicsr: error: unexpected error, ZeroDivisionError: .* \(details: experiments/tiny/train.*\.log\)\n",
        capsys.readouterr().err,
    )
    assert "Traceback" in next(FOLDER.glob("*.log")).read_text()


# --- what is shown ---


def test_the_introduction_is_short_and_the_log_has_everything(capsys):
    train()
    printed = capsys.readouterr().out
    introduction = printed.partition("iteration 1 of")[0]
    assert introduction.count("\n") <= 30 and "Conv2d" not in printed and "____" not in printed
    text = next(FOLDER.glob("*.log")).read_text()
    assert "Conv2d" in text and "PyTorch: " in text and "total_iter: 6" in text and "iteration 6 of 6" in text


@pytest.mark.parametrize(("seconds", "text"), [(-3, "0:00:00"), (3723.4, "1:02:03"), (90061, "1 d 1:01:01")])
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_training_that_does_not_beat_its_baseline_gets_a_hint(capsys):
    write(train__total_iter=1, val__metrics__psnr__better="lower")
    assert main(["train", "-opt", "tiny.yml"]) == 0
    assert "hint        psnr is not better than bicubic upsampling after 1 iterations" in capsys.readouterr().out


def test_a_finished_training_is_reported_again(capsys):
    train(train__total_iter=2)
    assert main(["train", "-opt", "tiny.yml", "--auto_resume"]) == 0
    printed = capsys.readouterr().out
    assert "\nmean " in printed and printed.count("iteration 1 of 2") == 1


@pytest.mark.parametrize("changes", [{"val": None}, {"val__metrics": None}], ids=["no validation", "no metrics"])
def test_validation_is_optional(changes):
    train(train__total_iter=2, **changes)
    assert main(["train", "-opt", "tiny.yml", "--auto_resume"]) == 0
