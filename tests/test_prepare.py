"""Preparing a user's images: what is written, that BasicSR reads it, all or nothing, and wrong input."""

import os
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import cv2
import lmdb
import numpy as np
import psutil
import pytest
import yaml
from PIL import Image

from converse_basicsr.cli import main
from converse_basicsr.degradations.bicubic import reduce_bicubic
from converse_basicsr.errors import UserError
from converse_basicsr.preparation import prepare as prepare_module
from converse_basicsr.preparation.prepare import prepare
from converse_basicsr.preparation.recipe import Recipe
from converse_basicsr.preparation.staging import staged
from converse_basicsr.preparation.sub_images import starts

from basicsr.data import build_dataset
from basicsr.utils import imfrombytes

REPOSITORY = Path(__file__).resolve().parents[1]
SHAPES = {"a.png": (50, 66), "deep/b c.v2.bmp": (48, 48), "deep/er/d.png": (70, 49)}
KEYS = ["a", "deep_b_c_v2", "deep_er_d"]
PAIRS = Recipe(size=32, step=16, lr_scale=4)


def write(path, shape=(48, 48, 3), dtype=np.uint8, seed=0) -> np.ndarray:
    """Write a random image as it is, and return it."""
    image = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return image


@pytest.fixture
def images(in_tmp) -> dict[str, np.ndarray]:
    """Three images under the folder mine, by key."""
    written = [write(in_tmp / "mine" / name, (*SHAPES[name], 3), seed=i) for i, name in enumerate(SHAPES)]
    (in_tmp / "mine/.hidden").write_text("not an image")
    return dict(zip(KEYS, written, strict=True))


def read(out) -> dict[str, np.ndarray]:
    """What an output holds, as stored, by key."""
    if out.suffix != ".lmdb":
        return {path.stem: cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in out.iterdir()}
    with lmdb.open(str(out), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {key.decode(): imfrombytes(value, flag="unchanged") for key, value in transaction.cursor()}


def windows(key: str, image: np.ndarray, size: int, step: int) -> dict[str, np.ndarray]:
    """Written out: every step, and once more at the border where the last window does not reach it."""
    found = []
    for top in [*range(0, image.shape[0] - size, step), image.shape[0] - size]:
        for left in [*range(0, image.shape[1] - size, step), image.shape[1] - size]:
            found.append(image[top : top + size, left : left + size])
    return {f"{key}_s{number:03d}": window for number, window in enumerate(found, start=1)}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for key, image in one.items():
        np.testing.assert_array_equal(image, other[key], err_msg=key)


@pytest.mark.parametrize(
    ("side", "expected"), [(48, [0]), (64, [0, 16]), (66, [0, 16, 18]), (80, [0, 16, 32]), (49, [0, 1])]
)
def test_windows_reach_the_border_without_a_double(side, expected):
    assert starts(side, 48, 16) == expected


@pytest.mark.parametrize("suffix", ["", ".lmdb"])
@pytest.mark.parametrize("workers", [1, 2])
def test_sub_images_and_their_reductions(in_tmp, images, suffix, workers):
    prepared = prepare(["mine"], f"out/hr{suffix}", PAIRS, workers=workers)
    hr, lr = in_tmp / f"out/hr{suffix}", in_tmp / f"out/hr_LRbicx4{suffix}"
    cropped = {key: image[: len(image) // 4 * 4, : image.shape[1] // 4 * 4] for key, image in images.items()}
    expected_hr, expected_lr = {}, {}
    for key, image in cropped.items():
        expected_hr |= windows(key, image, 32, 16)
        expected_lr |= windows(key, reduce_bicubic(image, 4), 8, 4)
    assert_same(read(hr), expected_hr)
    assert_same(read(lr), expected_lr)
    assert prepared.count == len(expected_hr)
    assert prepared.sizes == {
        path.relative_to(in_tmp): sum(file.stat().st_size for file in path.iterdir()) for path in (hr, lr)
    }
    assert sorted(path.name for path in (in_tmp / "out").iterdir()) == sorted(
        [hr.name, lr.name] + ([] if suffix else ["meta_info_hr.txt"])
    )


def test_meta_information(in_tmp, images):
    prepare(["mine"], "out/hr.lmdb", PAIRS)
    prepare(["mine"], "out/hr", PAIRS)
    prepare(["mine"], "out/gray.lmdb", Recipe(gray=True))
    keys = sorted(read(in_tmp / "out/hr"))
    for path, words in (
        ("hr.lmdb/meta_info.txt", "(32,32,3) 1"),
        ("hr_LRbicx4.lmdb/meta_info.txt", "(8,8,3) 1"),
        ("meta_info_hr.txt", "(32,32,3)"),
    ):
        assert (in_tmp / "out" / path).read_text().splitlines() == [f"{key}.png {words}" for key in keys]
    assert (in_tmp / "out/gray.lmdb/meta_info.txt").read_text().startswith("a.png (50,66,1) 1\n")


@pytest.mark.parametrize("out", ["out/hr.lmdb", "out/hr"])
@pytest.mark.parametrize("recipe", [PAIRS, Recipe(lr_scale=4)])
def test_basicsr_reads_it_with_the_printed_lines(in_tmp, images, out, recipe):
    prepared = prepare(["mine"], out, recipe)
    section = yaml.safe_load("\n".join(prepared.targets.option_lines()))
    dataset = build_dataset({"type": "PairedImageDataset", "name": "x", "phase": "val", "scale": 4, **section})
    assert len(dataset) == prepared.count
    stored = read(in_tmp / out)
    for sample in dataset:
        key = os.path.splitext(os.path.basename(sample["gt_path"]))[0]
        gt, lq = sample["gt"], sample["lq"]
        assert gt.shape[1:] == (4 * lq.shape[1], 4 * lq.shape[2])
        np.testing.assert_array_equal((gt.numpy().transpose(1, 2, 0)[..., ::-1] * 255).round(), stored[key])


def test_whole_images_alone(in_tmp, images):
    prepared = prepare(["mine"], "out/hr", Recipe())
    assert_same(read(in_tmp / "out/hr"), images)
    assert prepared.targets.option_lines()[:2] == ["dataroot_gt: out/hr", "meta_info_file: out/meta_info_hr.txt"]


def test_several_folders(in_tmp, images):
    more = write(in_tmp / "more/e.png")
    prepare(["mine", "more"], "out/hr", Recipe())
    assert_same(read(in_tmp / "out/hr"), images | {"e": more})


def test_every_kind_of_file_becomes_what_basicsr_reads(in_tmp):
    folder = in_tmp / "mine"
    deep = write(folder / "deep.png", dtype=np.uint16)
    gray = write(folder / "gray.png", (48, 48))
    alpha = write(folder / "alpha.png", (48, 48, 4))
    palette = Image.fromarray(write(folder / "colour.png")[..., ::-1]).quantize(16)
    palette.save(folder / "palette.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (48, 40)).save(folder / "turned.jpg", exif=turned)
    prepare([folder], "out/hr", Recipe())
    stored = read(in_tmp / "out/hr")
    assert_same(stored, {path.stem: imfrombytes(path.read_bytes()) for path in folder.iterdir()})
    np.testing.assert_array_equal(stored["gray"], np.repeat(gray[..., None], 3, 2))
    np.testing.assert_array_equal(stored["alpha"], alpha[..., :3])
    np.testing.assert_array_equal(stored["deep"], deep >> 8)
    np.testing.assert_array_equal(stored["palette"], np.array(palette.convert("RGB"))[..., ::-1])
    assert stored["turned"].shape == (48, 40, 3)
    prepare([folder], "out/gray", Recipe(gray=True))
    assert_same(
        read(in_tmp / "out/gray"), {p.stem: imfrombytes(p.read_bytes(), flag="grayscale") for p in folder.iterdir()}
    )


def test_small_images_are_left_out_only_when_asked(in_tmp, images):
    write(in_tmp / "mine/tiny.png", (20, 60, 3))
    with pytest.raises(UserError, match=r"1 of 4 images are smaller than 32x32: mine/tiny.png \(60x20\); --skip-small"):
        prepare(["mine"], "out/hr", PAIRS)
    assert not (in_tmp / "out").exists()
    prepared = prepare(["mine"], "out/hr", PAIRS, skip_small=True)
    assert [str(path) for path in prepared.skipped] == ["mine/tiny.png"]
    assert not any(key.startswith("tiny") for key in read(in_tmp / "out/hr"))
    with pytest.raises(UserError, match="all images are smaller than 480x480: .* and 1 more"):
        prepare(["mine"], "out/480", Recipe(size=480), skip_small=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 30, "lr_scale": 4}, "size must be a multiple of lr_scale .4., got 30"),
        ({"size": 32, "step": 10, "lr_scale": 4}, "step must be a multiple of lr_scale .4., got 10"),
        ({"size": 4, "lr_scale": 4}, "size must be 8 or more with lr_scale 4, got 4"),
        ({"step": 10}, "step 10 needs a size"),
        ({"size": 0}, "size must be 1 or more, got 0"),
        ({"size": 8, "step": -1}, "step must be 1 or more, got -1"),
        ({"lr_scale": 1}, "lr_scale must be 2 or more, got 1"),
    ],
)
def test_numbers_that_do_not_fit_are_named(values, message):
    with pytest.raises(UserError, match=message):
        Recipe(**values)


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
def test_the_smallest_image_that_is_allowed_can_be_reduced(scale):
    side = Recipe(lr_scale=scale).least_side
    assert reduce_bicubic(np.zeros((side, side, 3), np.uint8), scale).shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folders": ["none"]}, r"no such folder: none \(the current directory is "),
        ({"folders": ["mine", "empty"]}, "empty: the folder has no images"),
        ({"folders": ["mine", "again"]}, "mine/a.png, again/a.jpg would all get the key a; rename them"),
        ({"folders": ["mine", "foreign"]}, "not images that OpenCV can read: foreign/diary.doc; convert them or move"),
        (
            {"folders": ["mine", "bad"]},
            r"2 files cannot .*: bad/cut.png \(.*\), bad/text.png \(not an image, or damaged\)",
        ),
        ({"lr_out": "out/lr"}, "lr_out out/lr needs an lr_scale"),
        ({"lr_out": "out/lr.lmdb", "recipe": PAIRS}, "out/hr and out/lr.lmdb must both end in .lmdb, or neither"),
        ({"lr_out": "out/hr", "recipe": PAIRS}, "out/hr and out/hr must not overlap"),
        ({"out": "mine/sub"}, "mine/sub and mine must not overlap: one is inside the other"),
        ({"out": "../x", "folders": [".."]}, r"\.\./x and \.\. must not overlap"),
        ({"out": ".", "force": True}, r"\. is not a name to write to"),
        ({"lr_out": "..", "recipe": PAIRS}, r"\.\. is not a name to write to"),
        ({"out": "empty"}, "empty exists; --force replaces it"),
        ({"out": "foreign", "force": True}, r"foreign differs from what an earlier call wrote \(diary.doc\); remove"),
        ({"workers": 0}, "workers must be 1 or more, got 0"),
        ({"folders": ["mine", "pipes"]}, r"not files: pipes/pipe.png \(a named pipe .*\); remove them"),
    ],
)
def test_wrong_input_is_named_and_nothing_is_written(in_tmp, images, arguments, message):
    (in_tmp / "empty").mkdir()
    (in_tmp / "foreign").mkdir()
    (in_tmp / "foreign/diary.doc").touch()
    write(in_tmp / "again/a.jpg")
    write(in_tmp / "bad/cut.png")
    (in_tmp / "bad/cut.png").write_bytes((in_tmp / "bad/cut.png").read_bytes()[:2000])
    (in_tmp / "bad/text.png").write_text("not an image")
    (in_tmp / "pipes").mkdir()
    os.mkfifo(in_tmp / "pipes/pipe.png")
    before = sorted(in_tmp.rglob("*"))
    with pytest.raises(UserError, match=message):
        prepare(**{"folders": ["mine"], "out": "out/hr", "recipe": Recipe(), **arguments})
    assert sorted(in_tmp.rglob("*")) == before


def test_a_disk_that_is_too_small_is_found_before_anything_is_written(in_tmp, images, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(prepare_module.shutil, "disk_usage", lambda folder: usage(30_000))
    with pytest.raises(UserError, match=r"has 0.00 GiB free, but needs 0.\d\d GiB"):
        prepare(["mine"], "out/hr.lmdb", PAIRS)
    assert not (in_tmp / "out").exists()


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("out", ["out/hr.lmdb", "out/hr"])
def test_an_interruption_leaves_what_was_there(in_tmp, images, monkeypatch, out, force):
    if force:
        prepare(["mine"], out, PAIRS)
    before = sorted(in_tmp.rglob("*"))
    encoded = Recipe.make

    def interrupt(recipe, file):
        if interrupt.calls == 4:  # one image for the estimate of disk space each, and one of them written
            raise KeyboardInterrupt
        interrupt.calls += 1
        return encoded(recipe, file)

    interrupt.calls = 0
    monkeypatch.setattr(Recipe, "make", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare(["mine"], out, PAIRS, force=force)
    assert interrupt.calls == 4
    assert [path for path in sorted(in_tmp.rglob("*")) if path.name != "out"] == [p for p in before if p.name != "out"]


def test_force_replaces_what_was_written(in_tmp, images):
    prepare(["mine"], "out/hr", PAIRS)
    prepare(["mine"], "out/hr", Recipe(), force=True)
    assert_same(read(in_tmp / "out/hr"), images)


@pytest.mark.parametrize(
    ("recipe", "changed", "message"),
    [
        (Recipe(), "hr/more.png", r"out/hr differs .* \(more.png\)"),
        (PAIRS, "hr_LRbicx4/more.png", r"out/hr_LRbicx4 differs .* \(more.png\)"),
        (Recipe(), "meta_info_hr.txt", r"out/hr differs .* \(a.png, deep_b_c_v2.png, deep_er_d.png and 1 more\)"),
        (PAIRS, "hr.lmdb/more.png", r"out/hr.lmdb differs .* \(data.mdb, lock.mdb, meta_info.txt and 1 more\)"),
    ],
)
def test_force_spares_what_was_changed_since(in_tmp, images, recipe, changed, message):
    out = "out/hr.lmdb" if "lmdb" in changed else "out/hr"
    prepare(["mine"], out, recipe)
    (in_tmp / "out" / changed).write_text("other.png (8,8,3)\n")
    before = sorted(in_tmp.rglob("*"))
    with pytest.raises(UserError, match=f"{message}; remove it"):
        prepare(["mine"], out, recipe, force=True)
    assert sorted(in_tmp.rglob("*")) == before


@pytest.mark.parametrize(
    ("mine", "out", "lr_out"),
    [
        ("hr/mine.png", "hr", None),
        ("lr/a.png", "hr", "lr"),
        ("hr.lmdb", "hr.lmdb", None),
        ("hr.lmdb/data.mdb", "hr.lmdb", None),
        ("meta_info_hr.txt", "hr", None),
        ("notes.txt", "notes.txt", None),
    ],
)
def test_force_spares_what_only_looks_like_ours(in_tmp, images, mine, out, lr_out):
    (in_tmp / mine).parent.mkdir(exist_ok=True)
    (in_tmp / mine).write_text("mine.png (8,8,3)\n")
    with pytest.raises(UserError, match="differs from what an earlier call wrote"):
        prepare(["mine"], out, Recipe(lr_scale=4) if lr_out else Recipe(), lr_out, force=True)
    assert (in_tmp / mine).is_file()


def test_what_usually_lies_beside_images_is_left_out(in_tmp, images):
    for name in ("README", "deep/list.txt", "Thumbs.db"):
        (in_tmp / "mine" / name).write_text("not an image")
    prepare(["mine"], "out/hr", Recipe())
    assert_same(read(in_tmp / "out/hr"), images)


def _end(file):
    os._exit(1)


def test_a_killed_process_is_reported(in_tmp, images, monkeypatch):
    monkeypatch.setattr(prepare_module, "read_size", _end)
    with pytest.raises(UserError, match="one of 2 processes was killed .*; use fewer"):
        prepare(["mine"], "out/hr", PAIRS, workers=2)


def test_a_full_disk_is_one_line(in_tmp, images, monkeypatch):
    monkeypatch.setattr(prepare_module, "lmdb_writer", lambda path, map_size: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # no catch-all: a mistake of ours is not called the disk's
        prepare(["mine"], "out/hr.lmdb", PAIRS)

    def full(path, map_size):
        raise lmdb.DiskError("No space left on device")

    monkeypatch.setattr(prepare_module, "lmdb_writer", full)
    with pytest.raises(UserError, match="cannot write out/hr.lmdb: No space left on device"):
        prepare(["mine"], "out/hr.lmdb", PAIRS)


@pytest.mark.parametrize(
    ("number", "code", "to_all"),  # Ctrl-C signals every process of a terminal, kill only one
    [(signal.SIGINT, 130, True), (signal.SIGTERM, 143, False), (signal.SIGKILL, -9, False)],
)
def test_signals_leave_no_process_and_no_output(in_tmp, needs_basicsr, number, code, to_all):
    for index in range(10):
        write(in_tmp / f"mine/{index}.png", (400, 400, 3), seed=index)
    command = [sys.executable, "-m", "converse_basicsr", "data", "prepare", "mine", "--out", "out/hr.lmdb"]
    command += ["--size", "16", "--step", "3"]  # many sub-images: writing takes long
    running = subprocess.Popen(
        [*command, "--workers", "2"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: any(path.name == "data.mdb" for path in (in_tmp / "out").rglob("*")))  # it is writing
    children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) >= 3  # two workers and the process that started them
    (os.killpg if to_all else os.kill)(running.pid, number)
    errors = running.communicate()[1]
    assert running.returncode == code
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
    if number != signal.SIGKILL:
        assert errors.endswith("basicsr: interrupted; nothing was written\n") and "Traceback" not in errors
        assert not list((in_tmp / "out").iterdir())


def wait_until(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("force", [False, True])
def test_a_failed_move_restores_all_targets(in_tmp, force):
    (in_tmp / "one").mkdir()
    (in_tmp / "one/old").touch()
    with pytest.raises(OSError), staged(in_tmp / "one", in_tmp / "two", force=force) as (one, _):
        one.mkdir()  # and two is never made
    assert sorted(path.name for path in in_tmp.rglob("*")) == ["old", "one"]


def test_the_command(in_tmp, images, capsys):
    write(in_tmp / "mine/tiny.png", (20, 60, 3))
    call = ["data", "prepare", "mine", "--out", "out/hr.lmdb", "--size", "32", "--step", "16", "--lr-scale", "4"]
    call += ["--lr-out", "out/lr.lmdb", "--skip-small", "--workers", "1"]
    assert main([*call, "--gray"]) == 0
    assert next(iter(read(in_tmp / "out/hr.lmdb").values())).shape == (32, 32)
    capsys.readouterr()
    assert main([*call, "--force"]) == 0
    printed = capsys.readouterr()
    count = len(read(in_tmp / "out/hr.lmdb"))
    lines = printed.out.splitlines()
    assert lines[0].startswith(f"wrote out/hr.lmdb: {count} images, ") and lines[0].endswith(" MiB")
    assert lines[1].startswith(f"wrote out/lr.lmdb: {count} images, ")
    assert lines[2:] == [
        "skipped 1 images that are too small:",
        "  mine/tiny.png",
        "for the option file:",
        "    dataroot_gt: out/hr.lmdb",
        "    dataroot_lq: out/lr.lmdb",
        "    io_backend:",
        "      type: lmdb",
    ]
    assert "checking: 100%" in printed.err and "writing: 100%" in printed.err
    assert main(call) == 2
    assert capsys.readouterr().err == "basicsr: error: out/hr.lmdb exists; --force replaces it\n"
