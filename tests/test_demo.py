"""The demo data: contents, determinism, and atomic writing."""

import lmdb
import numpy as np
import pytest

from converse_basicsr.degradations.bicubic import reduce_bicubic
from converse_basicsr.errors import UserError
from converse_basicsr.preparation import demo

from basicsr.utils import imfrombytes


@pytest.fixture
def few(monkeypatch):
    """Two photographs to train on and one to validate."""
    monkeypatch.setattr(demo, "TRAIN", ("coins.png", "rocket.jpg"))
    monkeypatch.setattr(demo, "VAL", ("chelsea.png",))


def read_lmdb(path) -> dict[str, bytes]:
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {key.decode(): value for key, value in transaction.cursor()}


def test_contents(tmp_path, few):
    assert demo.build_demo(tmp_path / "demo")
    hr = read_lmdb(tmp_path / "demo/train_HR_sub.lmdb")
    lr = read_lmdb(tmp_path / "demo/train_LRbicx4_sub.lmdb")
    assert hr.keys() == lr.keys()
    assert len(hr) == 3 * 3 + 4 * 6  # 300x384 and 424x640, windows of 192 every 96
    for name, size in (("HR", 192), ("LRbicx4", 48)):
        lines = (tmp_path / f"demo/train_{name}_sub.lmdb/meta_info.txt").read_text().splitlines()
        assert [line.split(".")[0] for line in lines] == sorted(hr)
        assert {line.split(" ", 1)[1] for line in lines} == {f"({size},{size},3) 1"}
    assert imfrombytes(hr["coins_s001"]).shape == (192, 192, 3)
    assert imfrombytes(lr["coins_s001"]).shape == (48, 48, 3)
    assert sorted(path.name for path in (tmp_path / "demo").rglob("*.png")) == ["chelsea.png"] * 2


def test_low_resolution_windows_are_those_of_the_whole_image(tmp_path, few):
    demo.build_demo(tmp_path / "demo")
    reduced = reduce_bicubic(demo._read("coins.png"), 4)
    window = imfrombytes(read_lmdb(tmp_path / "demo/train_LRbicx4_sub.lmdb")["coins_s002"])
    assert np.array_equal(window, reduced[:48, 24:72])


def test_validation_images_are_not_trained_on():
    assert not set(demo.TRAIN) & set(demo.VAL)


def test_deterministic(tmp_path, few):
    for name in ("one", "two"):
        demo.build_demo(tmp_path / name)
    for part in ("train_HR_sub.lmdb", "train_LRbicx4_sub.lmdb"):
        assert read_lmdb(tmp_path / "one" / part) == read_lmdb(tmp_path / "two" / part)
    for path in (tmp_path / "one").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_an_existing_folder_is_left_alone_and_force_replaces_it(tmp_path, few):
    demo.build_demo(tmp_path / "demo")
    image = tmp_path / "demo/val_HR/chelsea.png"
    image.write_text("damaged")
    assert not demo.build_demo(tmp_path / "demo")
    assert image.read_bytes() == b"damaged"
    assert demo.build_demo(tmp_path / "demo", force=True)
    assert image.read_bytes() != b"damaged"
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


@pytest.mark.parametrize("mine", ["demo/mine.txt", "demo/val_HR/mine.png", "demo"])
def test_force_deletes_no_other_files(tmp_path, few, mine):
    (tmp_path / mine).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mine).touch()
    with pytest.raises(UserError, match=rf"demo holds files that are not demo data \(.*{mine}\); remove it"):
        demo.build_demo(tmp_path / "demo", force=True)
    assert (tmp_path / mine).is_file()


@pytest.mark.parametrize("force", [False, True])
def test_an_interrupted_build_leaves_what_was_there(tmp_path, few, monkeypatch, force):
    if force:
        (tmp_path / "demo").mkdir()
    before = list(tmp_path.iterdir())

    def interrupt(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_write_val", interrupt)
    with pytest.raises(KeyboardInterrupt):
        demo.build_demo(tmp_path / "demo", force)
    assert list(tmp_path.iterdir()) == before


def test_a_missing_photograph_is_named(tmp_path, few, monkeypatch):
    monkeypatch.setattr(demo, "VAL", ("unicorn.png",))
    with pytest.raises(UserError, match="scikit-image has no unicorn.png in .*; install scikit-image"):
        demo.build_demo(tmp_path / "demo")


@pytest.mark.parametrize(
    ("root", "built"), [("datasets/demo/val_HR", True), ("datasets/mine/val_HR", False), ("demo/val_HR", False)]
)
def test_only_the_demo_folder_is_built(in_tmp, few, root, built):
    demo.build_demo_if_asked_for({"datasets": {"val": {"dataroot_gt": root}}})
    assert (in_tmp / "datasets/demo").exists() == built
