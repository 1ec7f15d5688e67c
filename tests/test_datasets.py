"""Data sets that make their input from ground truth: every kind of file, both phases, draws, errors."""

from itertools import islice

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import converse_basicsr.data  # noqa: F401 (registers)
from converse_basicsr.checks.datasets import check_dataset
from converse_basicsr.degradations import BicubicReduction, GaussianNoise
from converse_basicsr.errors import UserError

from basicsr.data import build_dataset
from basicsr.utils.lmdb_util import LmdbMaker

TASKS = {
    "GaussianDenoisingDataset": {"sigma": 25},
    "BicubicSRDataset": {"scale": 4},
    "BlurDataset": {"psf": ["gaussian", "motion"], "scale": 2},
}
SCALES = {"GaussianDenoisingDataset": 1, "BicubicSRDataset": 4, "BlurDataset": 2}


def pixels(height=50, width=66, channels=3, dtype=np.uint8, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (height, width, channels), dtype, endpoint=True)


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"image{number}.png"), pixels(seed=number))
    return tmp_path


def dataset(folder, kind="GroundTruthDataset", phase="val", **options):
    section = {"name": "set", "type": kind, "phase": phase, "dataroot_gt": str(folder), "io_backend": {"type": "disk"}}
    return build_dataset({**section, **TASKS.get(kind, {}), **({"gt_size": 16} if phase == "train" else {}), **options})


# --- files of every kind ---


@pytest.mark.parametrize("color", ["rgb", "gray"])
@pytest.mark.parametrize(
    ("channels", "dtype"), [(1, np.uint8), (3, np.uint8), (4, np.uint8), (1, np.uint16), (3, np.uint16), (4, np.uint16)]
)
def test_files_of_every_kind(tmp_path, color, channels, dtype):
    stored = pixels(channels=channels, dtype=dtype)
    cv2.imwrite(str(tmp_path / "image.png"), stored)
    gt = dataset(tmp_path, color=color)[0]["gt"]
    assert gt.dtype == torch.float32 and gt.shape == (3 if color == "rgb" else 1, 50, 66)
    expected = stored[..., :3].astype(np.float64) / np.iinfo(dtype).max
    if color == "rgb":
        assert np.abs(gt.numpy().transpose(1, 2, 0) - np.broadcast_to(expected[..., ::-1], (50, 66, 3))).max() < 1e-6
    else:
        luma = expected @ [0.114, 0.587, 0.299] if channels > 1 else expected[..., 0]
        assert np.abs(gt[0].numpy() - luma).max() < 2 / 255  # OpenCV truncates


def test_a_folder_is_searched_through_in_order(folder):
    (folder / "deeper").mkdir()
    cv2.imwrite(str(folder / "deeper/a.bmp"), pixels())
    for name in ("notes.txt", "README", "deeper/Thumbs.db", ".hidden"):
        (folder / name).write_text("no image")
    names = [path.removeprefix(f"{folder}/") for path in dataset(folder).paths]
    assert names == ["deeper/a.bmp", *(f"image{number}.png" for number in range(4))]


def test_a_list_of_files_and_an_lmdb(folder):
    (folder / "list.txt").write_text("image2.png (50,66,3)\nimage1.png (50,66,3)\n\n")
    listed = dataset(folder, meta_info_file=str(folder / "list.txt"))
    assert [path.split("/")[-1] for path in listed.paths] == ["image2.png", "image1.png"]


def test_an_lmdb_and_a_list_of_its_keys(folder):
    maker = LmdbMaker(str(folder / "set.lmdb"), map_size=2**22)
    for number in (1, 2, 3):
        maker.put((folder / f"image{number}.png").read_bytes(), f"image{number}", (50, 66, 3))
    maker.close()
    meta_info = folder / "list.txt"
    meta_info.write_text("image0.png (50,66,3)\nimage1.png\nimage2.png\nimage3.png\n")
    files = dataset(folder, meta_info_file=str(meta_info))
    options = {"dataroot_gt": str(folder / "set.lmdb"), "io_backend": {"type": "lmdb"}}
    stored = dataset(folder, **options)
    assert stored.paths == ["image1", "image2", "image3"]
    assert all(torch.equal(stored[number]["gt"], files[number + 1]["gt"]) for number in range(3))
    meta_info.write_text("image3.png (50,66,3) 1\n\nimage1\n")
    assert dataset(folder, **options, meta_info_file=str(meta_info)).paths == ["image3", "image1"]
    meta_info.write_text("image3.png\nimage0.png (50,66,3)\n")
    with pytest.raises(UserError, match="list.txt: .*set.lmdb has no key image0$"):
        dataset(folder, **options, meta_info_file=str(meta_info))


# --- what a sample is ---


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("color", ["rgb", "gray"])
@pytest.mark.parametrize("phase", ["train", "val"])
def test_sample(folder, kind, color, phase):
    sample = dataset(folder, kind, phase, color=color)[1]
    channels = 3 if color == "rgb" else 1
    height, width = (
        {
            "GaussianDenoisingDataset": (50, 66),
            "BicubicSRDataset": (48, 64),
            "BlurDataset": (48, 64),
        }[kind]
        if phase == "val"
        else (16, 16)
    )
    assert sample["gt"].shape == (channels, height, width)
    assert sample["lq"].shape == (channels, height // SCALES[kind], width // SCALES[kind])
    assert sample["lq"].dtype == sample["gt"].dtype == torch.float32
    assert sample["lq_path"] == sample["gt_path"] == str(folder / "image1.png")
    assert ("kernel" in sample) == (kind == "BlurDataset")
    if kind == "BlurDataset":
        assert sample["kernel"].shape == (1, 7, 7) and abs(sample["kernel"].sum().item() - 1) < 1e-6


@pytest.mark.parametrize(
    ("kind", "degradation"),
    [("GaussianDenoisingDataset", GaussianNoise(25)), ("BicubicSRDataset", BicubicReduction(4))],
)
def test_validation_follows_the_protocol_and_never_changes(folder, kind, degradation):
    validation = dataset(folder, kind)
    first, again = validation[2], validation[2]
    expected = degradation.degrade_image(first["gt"].numpy().transpose(1, 2, 0), 2)["lq"]
    assert np.array_equal(first["lq"].numpy().transpose(1, 2, 0), expected)
    assert torch.equal(first["lq"], again["lq"])


# --- draws for training ---


def test_patches_are_flipped_and_turned_only_as_asked(tmp_path):
    cv2.imwrite(str(tmp_path / "image.png"), pixels(16, 16, 1))
    whole = dataset(tmp_path, color="gray")[0]["gt"]
    views = {
        "none": [whole],
        "hflip": [whole, whole.flip(-1)],
        "rot": [whole, whole.flip(-2), whole.mT, whole.flip(-2).mT],
    }
    torch.manual_seed(0)
    for name, options in {"none": {}, "hflip": {"use_hflip": True}, "rot": {"use_rot": True}}.items():
        training = dataset(tmp_path, phase="train", color="gray", **options)
        seen = {tuple(training[0]["gt"].flatten().tolist()) for _ in range(60)}
        assert seen == {tuple(view.flatten().tolist()) for view in views[name]}


def epochs(folder, kind, workers, seed):
    """Two epochs, as BasicSR's loader makes them: new workers for each."""
    torch.manual_seed(seed)
    loader = DataLoader(dataset(folder, kind, "train", use_hflip=True), batch_size=2, num_workers=workers)
    return [torch.cat([batch["lq"] for batch in islice(loader, 2)]) for _ in range(2)]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", TASKS)
def test_draws_differ_by_epoch_and_worker_and_come_again_with_the_seed(folder, kind, workers):
    first, second = epochs(folder, kind, workers, seed=3)
    assert not torch.equal(first, second)
    again = epochs(folder, kind, workers, seed=3)
    assert torch.equal(first, again[0]) and torch.equal(second, again[1])
    assert not torch.equal(first, epochs(folder, kind, workers, seed=4)[0])


# --- errors ---


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("GaussianDenoisingDataset", {"sgima": 3}, "has no option 'sgima'; did you mean sigma"),
        ("GroundTruthDataset", {"sigma": 3}, "no option 'sigma'"),
        ("GroundTruthDataset", {"color": "grey"}, "color: must be rgb or gray, got 'grey'"),
        ("BlurDataset", {"psf": "nowhere.npy"}, "psf: nowhere.npy is neither"),
        ("GaussianDenoisingDataset", {"gt_size": 64}, r"4 of 4 files .* gt_size .64.: .*0.png .50x66."),
    ],
)
def test_wrong_options_are_named(folder, kind, options, message):
    section = {"name": "set", "type": kind, "dataroot_gt": str(folder), "io_backend": {"type": "disk"}, "gt_size": 16}
    section.update({name: value for name, value in TASKS.get(kind, {}).items() if name != "scale"})
    with pytest.raises(UserError, match=f"datasets:train: .*{message}"):
        check_dataset("train", {**section, **options}, "train", SCALES.get(kind))


@pytest.mark.parametrize("suffix", [".jp2", ".exr", ".zip", ""])
def test_a_file_that_is_no_image_is_refused_not_skipped(folder, suffix):
    (folder / f"strange{suffix}").write_bytes(b"no image")
    with pytest.raises(UserError, match=f"not images that OpenCV can read: {folder}/strange{suffix}; convert them"):
        dataset(folder)


def test_the_content_tells_an_image_of_an_unusual_name(folder):
    (folder / "image0.png").rename(folder / "image0.orig")
    assert dataset(folder).paths[0].endswith("image0.orig") and len(dataset(folder)) == 4


def test_a_folder_that_is_absent_or_without_images_is_named(folder):
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match="empty: the folder has no images"):
        dataset(folder / "empty")
    with pytest.raises(UserError, match="no such folder: .*none"):
        dataset(folder / "none")


@pytest.mark.parametrize("other", ["image1.jpg", "LRbicx2/image1.png"])
def test_validation_refuses_two_images_of_the_same_name(folder, other):
    (folder / other).parent.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / other), pixels())
    assert len(dataset(folder, phase="train")) == 5
    for phase in ("val", "test"):
        with pytest.raises(UserError, match=rf"{folder}/.* and {folder}/.* have the same name .image1. in validation"):
            dataset(folder, phase=phase)


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_an_unreadable_image_is_named(folder, content):
    (folder / "image0.png").write_bytes(content)
    with pytest.raises(UserError, match="image0.png: (empty|not an image)"):
        dataset(folder)[0]


def test_an_image_smaller_than_the_multiple_is_named(tmp_path):
    cv2.imwrite(str(tmp_path / "tiny.png"), pixels(3, 9))
    with pytest.raises(UserError, match="tiny.png: the image is 3x9, smaller than 8"):
        dataset(tmp_path, "BicubicSRDataset")[0]
