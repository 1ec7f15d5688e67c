"""Checks of every file of a data set before a run: each finding names its set and its files."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

import converse_basicsr.data  # noqa: F401 (registers)
from converse_basicsr.checks.datasets import check_dataset
from converse_basicsr.errors import UserError
from converse_basicsr.files.image_folder import images_in
from converse_basicsr.files.lmdb_environment import lmdb_environment

from basicsr.data import build_dataset
from basicsr.utils.lmdb_util import LmdbMaker

REPOSITORY = Path(__file__).resolve().parents[1]
COUNT = 5


def image(height=32, width=48, channels=3, dtype=np.uint8) -> np.ndarray:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def write(path: Path, *args, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image(*args, **options))


@pytest.fixture
def pairs(in_tmp):
    """Five pairs in gt and lq, scale 4."""
    for number in range(COUNT):
        write(Path(f"gt/{number}.png"))
        write(Path(f"lq/{number}.png"), 8, 12)
    return in_tmp


@pytest.fixture
def stored(in_tmp):
    """The same pairs as LMDBs."""
    for name, sides in (("gt", (32, 48)), ("lq", (8, 12))):
        maker = LmdbMaker(f"{name}.lmdb", map_size=2**24)
        for number in range(COUNT):
            maker.put(cv2.imencode(".png", image(*sides))[1].tobytes(), f"image{number}", (*sides, 3))
        maker.close()
    return in_tmp


def section(kind: str, lmdb=False, **options) -> dict:
    suffix = ".lmdb" if lmdb else ""
    roots = {"PairedImageDataset": ("gt", "lq"), "SingleImageDataset": ("lq",)}.get(kind, ("gt",))
    made = {"name": "set", "type": kind, "io_backend": {"type": "lmdb" if lmdb else "disk"}, "gt_size": 16}
    if kind == "PairedImageDataset":
        made |= {"use_hflip": False, "use_rot": False}
    if kind == "GaussianDenoisingDataset":
        made |= {"sigma": 25}
    return made | {f"dataroot_{root}": f"{root}{suffix}" for root in roots} | options


def check(kind: str = "PairedImageDataset", phase: str = "train", **options):
    return check_dataset(phase, section(kind, **options), phase, 4)


def test_a_name_that_is_not_utf_8_is_refused(pairs):
    for folder in (b"gt", b"lq"):
        os.rename(folder + b"/0.png", folder + b"/\xff.png")
    with pytest.raises(UserError, match=r"of 5 files have names that are not UTF-8: '(gt|lq)/\\udcff.png'"):
        check()


@pytest.mark.parametrize("kind", ["PairedImageDataset", "SingleImageDataset", "GaussianDenoisingDataset"])
@pytest.mark.parametrize("phase", ["train", "val"])
@pytest.mark.parametrize("lmdb", [False, True])
def test_good_files_pass(pairs, stored, kind, phase, lmdb):
    checked = check(kind, phase, lmdb=lmdb)
    assert "lq" in checked.sample and checked.notes == ()
    assert checked.smallest == (None if kind == "SingleImageDataset" else (32, 48))


def test_the_smallest_image_as_validation_sees_it(pairs):
    write(Path("gt/9.png"), 31, 90)
    write(Path("lq/9.png"), 7, 22)
    assert check(phase="val").smallest == (28, 88)
    write(Path("gt/8.png"), 23, 90)
    assert check("BicubicSRDataset", "val").smallest == (20, 88)


# --- findings in one file: (what is written to gt/3.png, what is said) ---

FILES = {
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "text": (lambda path: path.write_text("no image"), "not an image, or damaged"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:2000]), "damaged or truncated"),
    "float": (
        lambda path: path.write_bytes(cv2.imencode(".tif", image() / np.float32(255))[1]),
        "samples are float32",
    ),
}


@pytest.mark.parametrize("kind", ["PairedImageDataset", "GaussianDenoisingDataset"])
@pytest.mark.parametrize("phase", ["train", "val"])
@pytest.mark.parametrize("damage", FILES)
def test_an_unusable_file_is_named(pairs, kind, phase, damage):
    change, reason = FILES[damage]
    change(Path("gt/3.png"))
    with pytest.raises(
        UserError, match=rf"^datasets:{phase}: 1 of 5 files cannot be read as images: gt/3.png .*{reason}"
    ):
        check(kind, phase)


@pytest.mark.parametrize("lmdb", [False, True])
def test_files_of_realesrgan_are_read_too(pairs, stored, lmdb):
    options = yaml.safe_load((REPOSITORY / "options/realesrnet_converse_srresnet.yml").read_text())["datasets"]["train"]
    Path("list.txt").write_text("".join(f"{number}.png\n" for number in range(COUNT)))
    options |= section("RealESRGANDataset", lmdb) | {"meta_info": "list.txt"}
    assert check_dataset("train", options, "train", 4).smallest == (32, 48)
    if not lmdb:
        Path("gt/3.png").write_bytes(b"")
        with pytest.raises(UserError, match=r"^datasets:train: 1 of 5 files .*: gt/3.png \(empty\)"):
            check_dataset("train", options, "train", 4)


def test_only_a_few_files_are_listed(pairs):
    for number in range(COUNT):
        Path(f"lq/{number}.png").write_bytes(b"")
    listed = r"5 of 5 files .*: lq/0.png \(empty\), lq/1.png \(empty\), lq/2.png \(empty\) and 2 more$"
    with pytest.raises(UserError, match=listed):
        check()


@pytest.mark.parametrize(
    ("phase", "gt", "lq", "message"),
    [
        ("train", (32, 48), (8, 11), r"not 4 times as large as their input .scale: 4.: gt/3.png .32x48, input 8x11."),
        ("train", (33, 48), (8, 12), "not 4 times as large"),
        ("train", (12, 40), (3, 10), r"1 of 5 files are smaller than gt_size .16.: gt/3.png .12x40."),
        ("val", (64, 96), (8, 12), "not 4 times as large"),
        ("val", (30, 48), (8, 12), "not 4 times as large"),
        ("val", (33, 50), (8, 12), None),
        ("val", (12, 40), (3, 10), None),
    ],
)
def test_pairs_must_fit_the_scale(pairs, phase, gt, lq, message):
    write(Path("gt/3.png"), *gt)
    write(Path("lq/3.png"), *lq)
    if message is None:
        assert check(phase=phase).notes == ()
    else:
        with pytest.raises(UserError, match=f"^datasets:{phase}: .*{message}"):
            check(phase=phase)


def test_cropped_ground_truth_is_noted(pairs):
    write(Path("gt/3.png"), 38, 50)
    assert check(phase="val").notes == (
        "1 of 5 ground-truth images are larger than 4 times their input, and are cropped",
    )


def test_pairs_must_have_the_same_channels(pairs):
    write(Path("lq/3.png"), 8, 12, channels=1)
    with pytest.raises(UserError, match=r"another number of channels than their input: gt/3.png .3 channels, input 1."):
        check()


@pytest.mark.parametrize(
    ("absent", "message"),
    [("lq/2.png", "lq has no input for 2.png of gt"), ("gt/2.png", "gt has no ground truth for 2.png of lq")],
)
def test_a_file_without_its_partner_is_named(pairs, absent, message):
    Path(absent).unlink()
    with pytest.raises(UserError, match=f"^datasets:train: {message}"):
        check()


def test_the_template_of_names_is_respected(pairs):
    for number in range(COUNT):
        Path(f"lq/{number}.png").rename(f"lq/{number}x4.png")
    assert check(filename_tmpl="{}x4").sample["lq_path"].endswith("x4.png")


def test_a_list_of_files_is_followed(pairs):
    Path("list.txt").write_text("1.png (32,48,3)\n7.png (32,48,3)\n")
    Path("gt/2.png").write_text("not in the list")
    with pytest.raises(UserError, match=r"files cannot be read as images: lq/7.png \(No such file or directory\)"):
        check(meta_info_file="list.txt")
    Path("list.txt").write_text("1.png\n")
    check(meta_info_file="list.txt")


@pytest.mark.parametrize("kind", ["PairedImageDataset", "SingleImageDataset", "GaussianDenoisingDataset"])
def test_validation_refuses_the_same_name_twice(pairs, kind):
    for folder, sides in (("gt", (32, 48)), ("lq", (8, 12))):
        write(Path(f"{folder}/1.bmp"), *sides)
    check(kind)
    with pytest.raises(UserError, match=r"/1.(bmp|png) and .*/1.(bmp|png) have the same name .1. in validation"):
        check(kind, "val")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "SingleImageDataset",
            [
                "1 of 7 images are gray, 6 are in colour",
                "1 of 7 images have 16 bits per sample, 6 have 8",
                "1 of 7 images have 16 bits per sample; BasicSR's data sets read only the upper 8",
                "1 of 7 images have an alpha channel, which is dropped",
            ],
        ),
        (
            "GroundTruthDataset",
            [
                "1 of 7 images are gray, 6 are in colour",
                "1 of 7 images have 16 bits per sample, 6 have 8",
                "1 of 7 images have an alpha channel, which is dropped",
            ],
        ),
    ],
)
def test_mixtures_are_noted(pairs, kind, expected):
    folder = "lq" if kind == "SingleImageDataset" else "gt"
    write(Path(folder, "5.png"), channels=1)
    write(Path(folder, "6.png"), channels=4, dtype=np.uint16)
    assert list(check(kind, "val").notes) == expected


# --- what is not a file ---


@pytest.mark.parametrize("kind", ["PairedImageDataset", "SingleImageDataset"])
def test_what_basicsr_skips_is_noted(pairs, kind):
    os.mkfifo("lq/pipe.png")
    Path("lq/link.png").symlink_to("nothing")
    notes = ("skipped: lq/link.png (a link to nothing), lq/pipe.png (a named pipe (FIFO), not a file)",)
    assert check(kind).notes == notes


@pytest.mark.parametrize("kind", ["PairedImageDataset", "GaussianDenoisingDataset"])
def test_a_listed_pipe_is_named_and_never_opened(pairs, kind):
    Path("gt/3.png").unlink()
    os.mkfifo("gt/3.png")
    Path("list.txt").write_text("0.png\n3.png\n")
    with pytest.raises(UserError, match=r"gt/3.png \(a named pipe"):
        check(kind, meta_info_file="list.txt")


@pytest.mark.parametrize("name", ["pipe.png", "pipe"])
def test_a_pipe_or_a_link_to_nothing_in_a_folder_of_ours_is_named(pairs, name):
    os.mkfifo(f"gt/{name}")
    Path("gt/link.png").symlink_to("nothing")
    with pytest.raises(UserError, match=rf"^datasets:train: not files: gt/link.png \(.*, gt/{name} .*; remove them"):
        check("GaussianDenoisingDataset")


def test_links_to_folders_are_followed_once(pairs):
    Path("elsewhere").mkdir()
    write(Path("elsewhere/deep/a.png"))
    Path("gt/0-parent").symlink_to("..")
    Path("gt/1-self").symlink_to(".")
    Path("gt/2-elsewhere").symlink_to("../elsewhere")
    found = [str(path) for path in images_in(Path("gt"))]
    assert sorted(Path(path).resolve() for path in found) == sorted(
        path.resolve() for path in Path().rglob("*.png") if "-" not in str(path)
    )
    assert all(f"gt/{number}.png" in found for number in range(COUNT))  # the real path, not one through a link


def test_a_folder_without_permission_is_named(pairs):
    Path("gt/closed").mkdir(mode=0)
    if os.access("gt/closed", os.R_OK):
        pytest.skip("this user may read every folder")
    with pytest.raises(UserError, match="gt/closed: cannot be listed: Permission denied"):
        images_in(Path("gt"))


# --- LMDB ---


def cut(path: Path, share: float) -> None:
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))


@pytest.mark.parametrize("kind", ["PairedImageDataset", "GaussianDenoisingDataset"])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_lmdb_is_named(stored, kind, share):
    cut(Path("gt.lmdb/data.mdb"), share)
    with pytest.raises(UserError, match=r"^datasets:train: gt.lmdb/data.mdb: .*truncated"):
        check(kind, lmdb=True)


def test_the_reader_of_samples_refuses_a_truncated_lmdb_too(stored):
    cut(Path("gt.lmdb/data.mdb"), 0.5)
    with pytest.raises(UserError, match="gt.lmdb/data.mdb: truncated"):
        lmdb_environment("gt.lmdb")


def test_a_damaged_page_of_an_lmdb_is_found(stored):
    data = bytearray(Path("gt.lmdb/data.mdb").read_bytes())
    for start in range(2 * 4096, len(data), 4096):  # all but the two pages that describe the file
        data[start : start + 64] = b"\xff" * 64
    Path("gt.lmdb/data.mdb").write_bytes(data)
    with pytest.raises(UserError, match=r"^datasets:train: gt.lmdb/data.mdb: damaged \("):
        check("GaussianDenoisingDataset", lmdb=True)


def test_keys_must_be_in_the_lmdb(stored):
    for root in ("gt", "lq"):
        with Path(f"{root}.lmdb/meta_info.txt").open("a") as file:
            file.write("absent.png (32,48,3) 1\n")
    with pytest.raises(
        UserError, match=r"1 of 6 files .*: lq.lmdb/absent \(meta_info.txt lists it, but data.mdb does not"
    ):
        check(lmdb=True)


def test_lmdbs_of_pairs_must_have_the_same_keys(stored):
    meta_info = Path("lq.lmdb/meta_info.txt")
    meta_info.write_text(meta_info.read_text().replace("image2.png", "other.png"))
    with pytest.raises(UserError, match="^datasets:train: lq.lmdb has no input for image2 of gt.lmdb"):
        check(lmdb=True)


def test_an_unusable_value_of_an_lmdb_is_named(in_tmp):
    maker = LmdbMaker("gt.lmdb", map_size=2**24)
    maker.put(cv2.imencode(".png", image())[1].tobytes(), "good", (32, 48, 3))
    maker.put(b"no image", "bad", (32, 48, 3))
    maker.close()
    with pytest.raises(UserError, match=r"1 of 2 files cannot be read as images: gt.lmdb/bad \(not an image"):
        check("GaussianDenoisingDataset", lmdb=True)
    dataset = build_dataset({**section("GaussianDenoisingDataset", lmdb=True), "phase": "train"})
    with pytest.raises(UserError, match="^gt.lmdb/bad: not an image"):
        dataset[dataset.paths.index("bad")]


def test_an_lmdb_without_data_is_named(stored):
    Path("gt.lmdb/data.mdb").unlink()
    with pytest.raises(UserError, match="gt.lmdb: the LMDB has no file data.mdb"):
        check(lmdb=True)


def test_mutated_images(needs_basicsr):
    """A short form of the run that docs/data.md quotes."""
    command = [sys.executable, str(REPOSITORY / "scripts/fuzz_images.py"), "--count", "60", "--seed", "7"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    finished = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert finished.returncode == 0, finished.stdout
    assert finished.stdout.startswith("60 mutated data sets, seed 7: ")
    assert "0 traceback, 0 crash, 0 hang, 0 memory, 0 silent" in finished.stdout
