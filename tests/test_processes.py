"""Training and testing with several processes: the results of one, errors said once, none left waiting for the dead.

Most tests fork their processes from a server that has imported everything, which takes a second instead of ten.
"""

import json
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny import options, write_images, write_options

from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.files.checkpoint import load_file
from converse_basicsr.files.journal import read_entries
from converse_basicsr.training import processes, run
from converse_basicsr.training.processes import check_gpus, started
from converse_basicsr.training.watch import INTERVAL, LOOKS

from basicsr.losses.basic_loss import L1Loss
from basicsr.models.base_model import BaseModel
from basicsr.models.sr_model import SRModel

FOLDER = Path("experiments/tiny")
TRAIN = "datasets__train__"
RUN = "-m torch.distributed.run --standalone --nproc_per_node=2 -m converse_basicsr"
TORCHRUN = [sys.executable, *RUN.split()]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONUNBUFFERED": "1"}
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["converse_basicsr.archs", "converse_basicsr.training.run"])


@pytest.fixture(autouse=True)
def data(in_tmp, monkeypatch):
    write_images(in_tmp / "data")
    write_images(in_tmp / "single", count=1)
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield in_tmp
    torch.set_num_threads(threads)


def write(batch: int = 1, **changes) -> None:
    """An option file with two validation sets, of three images and of one."""
    single = {**options()["datasets"]["val"], "name": "single", "dataroot_gt": "single/HR", "dataroot_lq": "single/LR"}
    total = changes.setdefault("train__total_iter", 6)
    scheduler = {**options()["train"]["scheduler"], "periods": [total]}
    changes = {"train__scheduler": scheduler, f"{TRAIN}batch_size_per_gpu": batch, **changes}
    write_options(Path("tiny.yml"), datasets__val_2=single, **changes)


def call(*arguments: str) -> int:
    return main(["train", "-opt", "tiny.yml", "--no_report", *arguments])


# --- two processes started by hand ---


def start(count: int, stage=None, command: str = "train", arguments: tuple = ()) -> list:
    """Start the command in this many processes; stage is a function of the rank, called before the command."""
    port = free_port()
    started = [
        FORK.Process(target=_command, args=(rank, count, port, stage, (command, "-opt", "tiny.yml", *arguments)))
        for rank in range(count)
    ]
    for process in started:
        process.start()
    return started


def finish(started: list) -> tuple[list[int], str]:
    """Exit codes, and what all processes printed on stderr."""
    for process in started:
        process.join(50)
    codes = [process.exitcode for process in started]
    for process in started:
        if process.exitcode is None:
            process.kill()
    return codes, "".join(Path(f"stderr{rank}").read_text() for rank in range(len(started)))


def together(count: int, *arguments: str, stage=None, command: str = "train") -> tuple[list[int], str]:
    return finish(start(count, stage, command, arguments))


def _command(rank: int, count: int, port: int, stage, arguments: tuple) -> None:
    for number, name in enumerate(("stdout", "stderr"), 1):
        os.dup2(os.open(f"{name}{rank}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    torch.set_num_threads(1)
    processes.started = partial(started, interval=0.1, looks=40)  # 4 s instead of 40
    if stage:
        stage(rank)
    sys.exit(main([*arguments, "--launcher", "pytorch"]))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def before(owner: object, name: str, action, iteration: int = 1) -> None:
    """Call the action before the n-th call of a function; these processes end, so nothing has to be restored."""
    real, calls = getattr(owner, name), []

    def wrapped(*args, **kwargs):
        calls.append(name)
        if len(calls) == iteration:
            action(*args)
        return real(*args, **kwargs)

    setattr(owner, name, wrapped)


# --- the same results as with one process ---


def weights(root: str, name: str = "latest") -> torch.Tensor:
    levels = load_file(Path(root) / FOLDER / f"models/net_g_{name}.pth")
    return torch.cat([value.flatten() for level in ("params", "params_ema") for value in levels[level].values()])


def journal(root: str, key: str) -> dict:
    entries = read_entries(Path(root) / FOLDER / "journal.jsonl")
    return {(entry["iter"], entry.get("set")): entry[key] for entry in entries if key in entry}


def copy(root: str, to: str, last: int) -> None:
    """Copy a run as it was at an iteration."""
    shutil.copytree(root, to)
    for path in (Path(to) / FOLDER).rglob("*"):
        if (
            re.search(r"\d+|latest", path.stem)
            and path.suffix in (".pth", ".state")
            and path.stem.split("_")[-1] > f"{last}"
        ):
            path.unlink()


def same_up_to_rounding(root: str, other: str) -> bool:
    losses, others = journal(root, "losses"), journal(other, "losses")
    return (
        torch.allclose(weights(root), weights(other), rtol=1e-4, atol=1e-6)
        and losses.keys() == others.keys()
        and all(losses[place] == pytest.approx(others[place], rel=1e-4) for place in losses)
    )


def test_one_process_two_and_one_again(capsys):
    """Trained by one process with batches of two, resumed by two with batches of one, and the other way round."""
    write(batch=2)
    Path("one").mkdir()
    assert call("--root", "one") == 0
    copy("one", "two", last=2)
    write(batch=1)
    printed = torchrun("train", "-opt", "tiny.yml", "--auto_resume", "--root", "two", "--launcher", "pytorch")
    assert "continuing from iteration 2 (two/" in printed and "batch size 2" in printed
    assert printed.count("\nmean ") == 2 and printed.count("iteration 6 of 6") == 1  # a table for each set
    assert "the batch size is now" not in printed and "2 processes" in printed
    assert same_up_to_rounding("one", "two")

    copy("two", "again", last=4)
    write(batch=2)
    assert call("--auto_resume", "--root", "again") == 0
    assert same_up_to_rounding("one", "again")
    capsys.readouterr()
    copy("two", "other", last=4)
    write(batch=3)
    assert call("--auto_resume", "--root", "other") == 0
    assert "the batch size is now 3 instead of 2" in capsys.readouterr().out


def test_a_batch_in_parts_by_two_processes_is_that_of_one():
    """Two processes with three samples each, in parts of two and one, that compute blocks again; one with all six."""
    changes = {"model_type": "RestorationModel", "train__clip_grad_norm": 1e-3, "val": None, "train__total_iter": 4}
    for root, count, parts in (("one", 1, 1), ("two", 2, 2)):
        Path(root).mkdir()
        write(batch=6 // count, train__accum_iter=parts, network_g__use_checkpoint=count == 2, **changes)
        if count == 1:
            assert call("--root", root) == 0
        else:
            codes, errors = together(count, "--root", root)
            assert codes == [0, 0], errors
    assert same_up_to_rounding("one", "two") and journal("one", "losses")[1, None]["grad_norm"] > 1e-3


def torchrun(*arguments: str, code: int = 0) -> str:
    result = subprocess.run([*TORCHRUN, *arguments], capture_output=True, text=True, env=ENVIRONMENT)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("model", ["SRModel", "RestorationModel"])
@pytest.mark.parametrize("decay", [0, 0.9], ids=["without EMA", "EMA"])
def test_validation_by_two_processes_is_that_of_one(model, decay):
    """Sets of three images and of one; metrics of the same weights and batch statistics are bitwise equal."""
    changes = {
        "model_type": model,
        "train__ema_decay": decay,
        "network_g": {"type": "DnCNN", "num_in_ch": 3, "num_feat": 4, "num_layer": 3},
        "scale": 1,
        **{f"datasets__{phase}__dataroot_lq": "data/HR" for phase in ("train", "val")},
    }
    Path("single/LR").rename("single/small")
    Path("single/LR").symlink_to("HR")
    write(train__total_iter=3, val__val_freq=1, **changes)
    codes, errors = together(2)
    assert codes == [0, 0], errors
    expected = journal(".", "metrics")
    assert {name for _, name in expected} == {"tiny_val", "single"} and len(expected) == 6
    file = FOLDER / "journal.jsonl"
    entries = [entry for entry in read_entries(file) if "set" not in entry]
    file.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    assert call("--auto_resume") == 0  # by one process: the last validation is missing
    found = journal(".", "metrics")
    assert len(found) == 2 and all(found[place] == expected[place] for place in found)


def test_a_test_by_two_processes():
    write(train__total_iter=1)
    assert call() == 0
    changes = {
        "name": "tiny_test",
        "datasets": {"test_1": options()["datasets"]["val"]},
        "path": {"pretrain_network_g": str(FOLDER / "models/net_g_latest.pth"), "param_key_g": "params_ema"},
        "val": {**options()["val"], "save_img": True, "suffix": "x4"},
    }
    write_options(Path("tiny.yml"), **changes)
    codes, errors = together(2, command="test")
    assert codes == [0, 0] and errors == ""
    printed = Path("stdout0").read_text()
    assert (
        printed.count("\nmean ") == printed.count("test of tiny_val: psnr") == 1 and Path("stdout1").read_text() == ""
    )
    saved = sorted(path.name for path in Path("results/tiny_test/visualization/tiny_val").iterdir())
    assert saved == [f"image{number}_x4.png" for number in range(3)]
    assert [path.name for path in Path("results").glob("[!.]*")] == ["tiny_test"]


# --- errors are said once ---


def fail_on_rank_1(rank: int) -> None:
    if rank == 1:
        before(SRModel, "feed_data", lambda *_: 1 / 0, iteration=2)


def spoil_files(rank: int) -> None:
    if rank == 1:
        before(SRModel, "feed_data", lambda *_: [Path(f"data/LR/image{n}.png").write_bytes(b"") for n in range(2)])


def lose_finiteness_on_rank_1(rank: int) -> None:
    if rank == 1:
        before(L1Loss, "forward", lambda loss, *_: setattr(loss, "loss_weight", float("nan")), iteration=3)


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        (None, {"train__total_iter": -1}, "tiny.yml: train:total_iter"),
        (None, {"train__pixel_opt__type": "L9Loss"}, "tiny.yml: train:pixel_opt:type: no loss named 'L9Loss'"),
        (fail_on_rank_1, {}, r"unexpected error in rank 1, ZeroDivisionError: .* \(details: .*/train_.*log\)"),
        (spoil_files, {}, "datasets:train: cannot read data/LR/image"),
        (lose_finiteness_on_rank_1, {}, "the training diverged at iteration 3: the loss l_pix is nan. "
                                        r"Files of this batch: data/HR/image\d.png, data/LR/image\d.png. No state"),
    ],
    ids=["schema", "checks", "exception", "file", "not finite"],
)  # fmt: skip
def test_an_error_is_said_once(stage, changes, message):
    write(logger__save_checkpoint_freq=6, val=None, **changes)
    codes, errors = together(2, stage=stage)
    assert re.fullmatch(rf"basicsr: error: {message}.*\n", errors), errors
    assert sorted(codes) == [1, 2]
    if stage is fail_on_rank_1:
        log = next(FOLDER.glob("*.log")).read_text()
        assert "rank 1 failed:\nTraceback" in log and "in fail_on_rank_1" not in log and "ZeroDivisionError" in log


def test_skipped_files_of_all_processes_count(in_tmp):
    write(**{f"{TRAIN}skip_unreadable": 1}, val=None, train__total_iter=40)
    codes, errors = together(2, stage=spoil_files)
    assert "samples cannot be read, skip_unreadable allows 1" in errors and errors.count("\n") == 1
    assert sorted(codes) == [1, 2]
    assert "warning: datasets:train: skipped, cannot be read: data/LR/image" in Path("stdout0").read_text()


# --- a process dies ---


def die(*_) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stop(*_) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def in_checks(dead: int, action, rank: int) -> None:
    """Rank 0 checks, and rank 1 waits for it; so a dead rank 1 is missed later."""
    if rank == dead:
        before(*((run, "check_run") if rank == 0 else (processes.Processes, "share")), action)


def in_training(dead: int, action, rank: int) -> None:
    if rank == dead:
        before(BaseModel, "update_learning_rate", action, iteration=2)


def in_validation(dead: int, action, rank: int) -> None:
    if rank == dead:
        before(SRModel, "test", action)


RANK = r"rank 1 on \S+ has died: no sign of life for .* s"
HOST = r"the process that connects the others \(rank 0, or torchrun\) has died"


@pytest.mark.parametrize("stage", [in_checks, in_training, in_validation])
@pytest.mark.parametrize(("dead", "count", "message"), [(0, 2, HOST), (1, 3, RANK)], ids=["rank 0", "rank 1 of 3"])
def test_no_process_waits_for_a_dead_one(dead, count, message, stage):
    write()
    codes, errors = together(count, stage=partial(stage, dead, die))
    assert re.fullmatch(rf"basicsr: error: {message}\n", errors), errors
    assert [codes.pop(dead), *codes] == [-signal.SIGKILL, *[1] * (count - 1)]


@pytest.mark.parametrize(("dead", "message"), [(0, HOST), (1, RANK)])
def test_no_process_waits_for_one_that_does_not_respond(dead, message):
    """As when its machine is lost: the connections stay open, and nothing answers."""
    write()
    started = start(2, stage=partial(in_training, dead, stop))
    started[1 - dead].join(50)
    started[dead].kill()
    codes, errors = finish(started)
    assert re.fullmatch(rf"basicsr: error: {message}\n", errors), errors
    assert codes[1 - dead] == 1


def test_processes_that_are_suspended_together_go_on():
    write(train__total_iter=60, val=None, logger__save_checkpoint_freq=60)
    started = start(2)
    while not (FOLDER / "journal.jsonl").exists():
        assert any(process.is_alive() for process in started)
        time.sleep(0.1)
    for number, pause in ((signal.SIGSTOP, 5), (signal.SIGCONT, 0)):  # longer than a dead process is waited for
        for process in started:
            os.kill(process.pid, number)
        time.sleep(pause)
    codes, errors = finish(started)
    assert codes == [0, 0] and errors == ""


def test_within_a_minute():
    assert INTERVAL * LOOKS <= 45


# --- signals ---


def signal_rank_1(rank: int) -> None:
    if rank == 1:
        before(BaseModel, "update_learning_rate", lambda *_: os.kill(os.getpid(), signal.SIGUSR1), iteration=3)


def test_a_signal_to_one_process_ends_all_after_the_same_iteration():
    write()
    codes, errors = together(2, stage=signal_rank_1)
    assert codes == [128 + signal.SIGUSR1] * 2 and errors == ""
    assert "at iteration 3 of 6; state saved" in Path("stdout0").read_text()
    assert (FOLDER / "training_states/3.state").is_file()
    codes, _ = together(2, "--auto_resume")
    assert codes == [0, 0] and "continuing from iteration 3" in Path("stdout0").read_text()


def test_sigterm_to_torchrun():
    """torchrun passes the signal on, and exits with 1."""
    write(train__total_iter=100_000, val=None)
    launched = subprocess.Popen(
        [*TORCHRUN, "train", "-opt", "tiny.yml", "--launcher", "pytorch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    for line in launched.stdout:
        if line.startswith("iteration 10 "):
            launched.terminate()
            break
    printed, errors = launched.communicate(timeout=50)
    assert launched.returncode == 1 and "basicsr: error" not in errors
    stopped = int(re.search(r"at iteration (\d+) of 100000; state saved", printed)[1])
    assert (FOLDER / f"training_states/{stopped}.state").is_file()
    write(batch=2, train__total_iter=stopped + 1, val=None)
    assert call("--auto_resume") == 0


# --- launchers ---


def test_torchrun_without_launcher_is_said_once():
    write()
    printed = torchrun("train", "-opt", "tiny.yml", code=1)
    lines = [line for line in printed.splitlines() if line.startswith("basicsr: error")]
    assert len(lines) == 1 and "started by torchrun without --launcher pytorch" in lines[0]


SLURM = {"SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_LOCALID": "0", "SLURM_NODELIST": "node[3-4,7]"}
TORCH = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}


@pytest.mark.parametrize(
    ("launcher", "environment", "message"),
    [
        ("pytorch", {}, "--launcher pytorch: the environment has no RANK; start with: torchrun --nproc_per_node=N"),
        ("pytorch", TORCH, "--launcher pytorch: the environment has no MASTER_PORT; start with: torchrun"),
        ("pytorch", {**TORCH, "RANK": "x", "MASTER_PORT": "1"}, "rank x cannot connect to the other processes at "),
        ("slurm", {}, "--launcher slurm: the environment has no SLURM_PROCID; start with: srun python"),
        ("slurm", SLURM, "--launcher slurm: scontrol does not name the hosts of node[3-4,7]: .*; set MASTER_ADDR"),
    ],
)
def test_a_launcher_without_its_environment(launcher, environment, message, monkeypatch, capsys):
    for name, value in {**environment, "PATH": ""}.items():
        monkeypatch.setenv(name, value)
    write()
    assert call("--launcher", launcher) == 2
    error = capsys.readouterr().err
    assert re.match(f"basicsr: error: {re.escape(message)}".replace(r"\.\*", ".*"), error) and error.count("\n") == 1


def test_a_port_that_is_in_use(monkeypatch, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        for name, value in {**TORCH, "MASTER_PORT": str(other.getsockname()[1])}.items():
            monkeypatch.setenv(name, value)
        write()
        assert call("--launcher", "pytorch") == 2
    error = capsys.readouterr().err
    assert re.fullmatch(r"basicsr: error: rank 0 cannot connect .* at 127.0.0.1:\d+: .*in use.*\n", error), error


def test_slurm(in_tmp, monkeypatch):
    """scontrol expands the list of nodes; the first one connects the processes."""
    (in_tmp / "scontrol").write_text('#!/bin/sh\necho "$3" > asked\necho 127.0.0.1\necho node4\n')
    (in_tmp / "scontrol").chmod(0o755)
    port = free_port()
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")  # so that they are removed after the test
        monkeypatch.delenv(name)
    for name, value in {**SLURM, "PATH": f"{in_tmp}:{os.environ['PATH']}"}.items():
        monkeypatch.setenv(name, value)
    with started("slurm", port=port) as found:
        assert (found.rank, found.world_size, found.distributed) == (0, 1, True)
    assert (in_tmp / "asked").read_text() == "node[3-4,7]\n"
    assert os.environ["MASTER_ADDR"] == "127.0.0.1" and os.environ["MASTER_PORT"] == str(port)


def test_two_processes_on_one_gpu_are_refused():
    check_gpus([("node1", "a"), ("node1", "b"), ("node2", "a")])
    with pytest.raises(UserError, match="ranks 1 and 2 use the same GPU of node1: start one process per GPU"):
        check_gpus([("node1", "a"), ("node1", "b"), ("node1", "b")])


def test_an_unknown_address_is_named_at_once(monkeypatch):
    values = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "no-such-machine.invalid"}
    for name, value in {**values, "MASTER_PORT": "29500"}.items():
        monkeypatch.setenv(name, value)
    problem = r"MASTER_ADDR: no machine of the name no-such-machine\.invalid"
    with pytest.raises(UserError, match=problem), started("pytorch"):
        pass
