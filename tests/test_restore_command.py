"""basicsr restore: files in, files out; what is refused, skipped, reported and continued."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import environment
from PIL import Image
from tiny_weights import save_networks

from converse_basicsr.cli import main
from converse_basicsr.evaluation.scores import psnr, rounded_luma
from converse_basicsr.images.reading import read_picture
from converse_basicsr.restoration.pipeline import overlapped

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (20, 28, 3), dtype=np.uint8)


@pytest.fixture
def place(in_tmp) -> Path:
    """The current directory, with sr.pth, usr.pth and gray.pth, and pictures/: one.png, two.jpg and sub/three.png."""
    save_networks(in_tmp)
    save("pictures/one.png")
    save("pictures/two.jpg")
    save("pictures/sub/three.png")
    Path("pictures/notes.txt").write_text("no picture")
    return in_tmp


def save(path: str, pixels: np.ndarray = RGB) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def run(command: str, capsys, code: int = 0) -> str:
    """What the command prints, on both streams."""
    found = main(["restore", *command.split()])
    printed = "".join(capsys.readouterr())
    assert found == code, printed
    return printed


def below(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def test_a_folder(place, capsys):
    printed = run("pictures -m sr.pth", capsys)
    assert printed.startswith("ConverseSRResNet x2 (1 block of 4 channels), as the file says\n")
    assert "restored/one.png: 28x20 -> 56x40, 0." in printed and printed.endswith("2 restored\n")
    assert below("restored") == ["one.png", "two.jpg"]
    assert read_picture("restored/one.png").size == "56x40"


def test_a_folder_with_its_subfolders(place, capsys):
    run("pictures -r -o out -m sr.pth", capsys)
    assert below("out") == ["one.png", "sub/three.png", "two.jpg"]


def test_patterns_and_files(place, capsys):
    run("pictures/**/*.png pictures/two.jpg -o out -m sr.pth", capsys)
    assert below("out") == ["one.png", "sub/three.png", "two.jpg"]


def test_one_picture_to_a_file(place, capsys):
    printed = run("pictures/one.png -o new/name.tif -m sr.pth", capsys)
    assert below("new") == ["name.tif"] and "restored" not in printed.splitlines()[-1]
    assert Image.open("new/name.tif").format == "TIFF"


def test_the_output_folder_is_no_input(place, capsys):
    for _ in range(2):
        run(". -r -m sr.pth --overwrite", capsys)
    assert below("restored") == ["pictures/one.png", "pictures/sub/three.png", "pictures/two.jpg"]


@pytest.mark.parametrize(("format", "suffix"), [("webp", ".webp"), ("jpg", ".jpg"), ("tiff", ".tif"), ("bmp", ".bmp")])
def test_format_and_quality(place, capsys, format, suffix):
    quality = "--quality 30" if format in ("webp", "jpg") else ""
    run(f"pictures/one.png -o out -m sr.pth --format {format} {quality}", capsys)
    assert below("out") == [f"one{suffix}"]
    if quality:
        run(f"pictures/one.png -o best -m sr.pth --format {format} --quality 95", capsys)
        assert Path(f"best/one{suffix}").stat().st_size > Path(f"out/one{suffix}").stat().st_size


def test_suffixes_are_kept_as_they_are(place, capsys):
    save("pictures/THREE.JPEG")
    Image.fromarray(RGB).save("pictures/four.gif")
    run("pictures/THREE.JPEG pictures/four.gif -o out -m sr.pth", capsys)
    assert below("out") == ["THREE.JPEG", "four.png"]


def test_the_command_does_what_restore_does(place, capsys):
    from converse_basicsr import load_network, restore

    run("pictures/one.png -m sr.pth --x8 --tile 16 --overlap 4", capsys)
    with pytest.warns(UserWarning, match="tiles of 16|lacks"):
        expected = restore(RGB, load_network("sr.pth"), x8=True, tile=16, overlap=4)
    np.testing.assert_array_equal(read_picture("restored/one.png").pixels, expected)


def test_finished_files_are_skipped_and_nothing_is_overwritten(place, capsys):
    run("pictures/one.png -m sr.pth", capsys)
    Path("restored/one.png").write_bytes(b"mine")
    printed = run("pictures -m sr.pth", capsys)
    assert (
        "1 restored, 1 skipped, already in restored, maybe with other settings (--overwrite restores again)" in printed
    )
    assert Path("restored/one.png").read_bytes() == b"mine"
    assert run("pictures -m sr.pth", capsys).startswith("nothing to do: 2 skipped")
    run("pictures -m sr.pth --overwrite", capsys)
    assert read_picture("restored/one.png").size == "56x40"


def test_shards_are_disjoint_and_complete(place, capsys):
    for number in range(7):
        save(f"many/{number}.png")
    found = []
    for shard in range(1, 4):
        run(f"many -o out{shard} -m sr.pth --shard {shard}/3", capsys)
        found += below(f"out{shard}")
    assert sorted(found) == [f"{number}.png" for number in range(7)]
    assert len(below("out1")) == 3
    assert run("many -o out -m sr.pth --shard 9/9", capsys) == "nothing to do: shard 9/9 has none of the 7 pictures\n"


def test_a_bad_file_is_reported_and_the_others_go_on(place, capsys):
    Path("pictures/bad.png").write_bytes(Path("pictures/one.png").read_bytes()[:500])
    printed = run("pictures -m sr.pth", capsys, code=1)
    assert "failed: pictures/bad.png: damaged or truncated" in printed
    assert "2 restored, 1 failed" in printed and below("restored") == ["one.png", "two.jpg"]
    assert "Traceback" not in printed


def test_an_output_that_cannot_be_written_is_reported(place, capsys):
    Path("out/one.png").mkdir(parents=True)
    printed = run("pictures -o out -m sr.pth --overwrite", capsys, code=1)
    assert "failed: out/one.png: cannot be written: " in printed and (place / "out/two.jpg").is_file()


def test_notes_of_a_picture(place, capsys):
    Image.fromarray(RGB).convert("CMYK").save("cmyk.jpg")
    printed = run("cmyk.jpg -m sr.pth --tile 16 --overlap 2", capsys)
    assert " s; CMYK, converted to RGB; in 4 tiles of 16; a tile lacks its surroundings" in printed


def test_a_gray_network_on_a_colour_picture(place, capsys):
    run("pictures/one.png -o y -m gray.pth", capsys)
    run("pictures/one.png -o each -m gray.pth --channels each", capsys)
    y, each = (read_picture(f"{folder}/one.png").pixels for folder in ("y", "each"))
    assert y.shape == each.shape == RGB.shape and (y != each).any()


def test_equal_pictures_in_batches(place, capsys):
    for number in range(5):
        save(f"many/{number}.png", RANDOM.integers(0, 256, (20, 28 if number < 3 else 24, 3), dtype=np.uint8))
    run("many -o one -m sr.pth", capsys)
    run("many -o four -m sr.pth --batch 4", capsys)
    for name in below("one"):
        one, four = (read_picture(f"{folder}/{name}").pixels.astype(int) for folder in ("one", "four"))
        assert np.abs(one - four).max() <= 1  # rounding


def test_ground_truth(place, capsys):
    save("gt/one.bmp", RANDOM.integers(0, 256, (41, 57, 3), dtype=np.uint8))
    save("gt/two.png", RANDOM.integers(0, 256, (40, 56, 3), dtype=np.uint8))
    printed = run("pictures/one.png pictures/two.jpg -m sr.pth --gt gt", capsys)
    result, gt = read_picture("restored/one.png").pixels, read_picture("gt/one.bmp").pixels[:40, :56]
    expected = f"PSNR {psnr(rounded_luma(result), rounded_luma(gt), 2):.4f} dB, SSIM 0."
    assert expected in printed and "mean of 2: PSNR " in printed and "(y)" in printed
    skipped = run("pictures/one.png -m sr.pth --gt gt --metric rgb", capsys)
    assert f"restored/one.png: PSNR {psnr(result, gt, 2):.4f} dB" in skipped and "(rgb)" in skipped


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "--gt: no such folder: gt"),
        (["gt/other.png"], "--gt: gt has no ground truth of the same name for pictures/one.png"),
        (["gt/one.png", "gt/one.bmp"], "--gt: pictures/one.png has several: gt/one.bmp, gt/one.png"),
    ],
)
def test_missing_ground_truth_is_named_before_anything_runs(place, capsys, files, reason):
    for file in files:
        save(file)
    assert reason in run("pictures/one.png -m sr.pth --gt gt", capsys, code=2)
    assert not Path("restored").exists()


def test_ground_truth_of_another_size_is_reported(place, capsys):
    save("gt/one.png")
    printed = run("pictures/one.png -m sr.pth --gt gt", capsys, code=1)
    assert "gt/one.png: the ground truth has 28x20 pixels, the restored picture 56x40" in printed


def test_a_comparison_panel(place, capsys):
    save("gt/one.png", RGB.repeat(2, 0).repeat(2, 1))
    run("pictures/one.png -m sr.pth --compare --gt gt", capsys)
    assert below("restored") == ["one.png", "one_compare.png"]
    with Image.open("restored/one_compare.png") as panel:
        assert panel.mode == "RGB" and panel.height > 2 * 288


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 300, 3), (9, 9)])
def test_a_comparison_panel_of_an_odd_picture(place, capsys, shape):
    save("odd.png", RANDOM.integers(0, 256, shape, dtype=np.uint8))
    run("odd.png -m sr.pth --compare", capsys)
    assert below("restored") == ["odd.png", "odd_compare.png"]


def test_the_operator_alone(place, capsys):
    printed = run("pictures/one.png -o a --method converse2d --kernel gaussian:1.2", capsys)
    assert printed.startswith("converse2d, blur kernel 9x9, lam 0.02, replicate borders, steps 4\n")
    printed = run("pictures/one.png -o b --method converse2d --kernel motion:5,45 --sigma 2.5 --scale 2 "
                  "--borders circular", capsys)  # fmt: skip
    assert "lam 0.15, circular borders, steps 4" in printed and read_picture("b/one.png").size == "56x40"


def test_a_network_with_a_kernel(place, capsys):
    printed = run("pictures/one.png -m usr.pth --kernel gaussian:1 --scale 3", capsys)
    assert "28x20 -> 84x60" in printed
    assert "ConverseUSRNet needs the blur kernel" in run("pictures/two.jpg -m usr.pth", capsys, code=2)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("none.png -m sr.pth", "no such file or folder: none.png"),
        ("none*.png -m sr.pth", "no file matches none*.png"),
        ("empty -m sr.pth", "empty: the folder has no images; -r looks into its subfolders"),
        ("pictures -m none.pth", "none.pth"),
        ("pictures -m sr.pth -o pictures", "pictures/one.png is an input file; give another output folder"),
        ("pictures/one.png -m sr.pth -o pictures/one.png --overwrite", "pictures/one.png is an input file"),
        ("pictures -m sr.pth -o out.png", "-o: out.png is the name of a picture, but the input is not one file; give"),
        ("pictures -m sr.pth -o sr.pth", "-o: sr.pth is not a folder"),
        ("pictures/one.png -m sr.pth -o x.gif", "-o: x.gif: pictures are written as png, jpeg, webp, tiff, bmp"),
        ("pictures/one.png -m sr.pth -o x.png --format tiff", "-o: x.png is not the name of a TIFF file"),
        ("pictures/one.png pictures/sub/one.png -m sr.pth", "pictures/one.png and pictures/sub/one.png would both be"),
        ("pictures -m sr.pth --format gif", "--format: must be one of png, jpeg, webp, tiff, bmp, got 'gif'"),
        ("pictures -m sr.pth --format png --quality 90", "--quality: only JPEG and WebP have one"),
        ("pictures -m sr.pth --quality 101", "--quality: must be from 1 to 100, got 101"),
        ("pictures -m sr.pth --batch 0", "--batch: must be 1 or more, got 0"),
        ("pictures -m sr.pth --shard 4/3", "--shard: must be K/N with K from 1 to N, such as 3/16, got 4/3"),
        ("pictures -m sr.pth --shard 3", "--shard: must be K/N"),
        ("pictures -m sr.pth --metric y", "--metric: has no effect without --gt DIR"),
        ("pictures -m sr.pth --lam 1", "--lam: has no effect with --model"),
        ("pictures -m sr.pth --borders circular", "borders: ConverseSRResNet does not join them"),
        ("pictures -m sr.pth --sigma 25", "--sigma: has no effect with --model"),
        ("pictures -m sr.pth --kernel gaussian:1", "ConverseSRResNet takes no blur kernel"),
        ("pictures -m sr.pth --scale 3", "scale: ConverseSRResNet has scale 2, got 3"),
        ("pictures -m sr.pth --tile 8", "overlap: must be 0 or more, and less than the tile, 8, got 16"),
        ("pictures -m sr.pth --memory little", "memory: must be a size such as 4GB"),
        ("pictures -m sr.pth --memory 4", "that the program itself takes, got '4' (4 bytes)"),
        ("pictures -m sr.pth --device cuda:77", "device: cuda:77 is not available"),
        ("pictures --method converse2d", "--method converse2d needs --kernel: FILE.npy"),
        ("pictures --method converse2d --kernel gaussian:1 --x8", "--x8: has no effect with --method converse2d"),
        ("pictures --method converse2d --kernel gaussian:1 --lam 1 --sigma 1", "sigma: give lam or sigma, not both"),
        ("pictures --method converse2d --kernel gaussian:1 --scale 0", "scale: must be an integer from 1 to 8, got 0"),
        ("pictures --method converse2d --kernel gaussian:1 --lam 0", "lam: must be a number above 0"),
        ("pictures --method converse2d --kernel gaussian:1 --sigma 0", "sigma: must be above 0 and at most 255"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line_before_anything_is_written(place, capsys, command, reason):
    Path("empty").mkdir()
    save("pictures/sub/one.png")
    before = below(".")
    printed = run(command, capsys, code=2)
    assert printed.splitlines()[-1].startswith("basicsr: error: ") and reason in printed.splitlines()[-1]
    assert below(".") == before


def test_two_pictures_for_one_output(place, capsys):
    save("pictures/one.bmp")
    printed = run("pictures -m sr.pth --format png", capsys, code=2)
    assert "pictures/one.bmp and pictures/one.png would both be written to restored/one.png" in printed
    save("more/a_compare.png")
    save("more/a.jpg")
    printed = run("more -m sr.pth --compare", capsys, code=2)
    assert "more/a.jpg and more/a_compare.png would both be written to restored/a_compare.png" in printed


def test_an_interruption_keeps_finished_files_and_the_next_run_continues(place, capsys):
    for number in range(30):
        save(f"many/{number:02}.png", RANDOM.integers(0, 256, (80, 80, 3), dtype=np.uint8))
    command = [sys.executable, "-m", "converse_basicsr", "restore", "many", "-m", "sr.pth", "--x8"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    for _ in range(3):  # the network, and two pictures
        process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM and "Traceback" not in errors
    assert "basicsr: interrupted; finished pictures are saved, the same command continues" in errors
    finished = below("restored")
    assert 2 <= len(finished) < 30
    for name in finished:
        assert name.endswith(".png") and read_picture(f"restored/{name}").size == "160x160"
    printed = run("many -m sr.pth", capsys)
    assert f"{30 - len(finished)} restored, {len(finished)} skipped" in printed and len(below("restored")) == 30


def test_without_basicsr(place):
    code = (
        "import sys; sys.modules['basicsr'] = None; from converse_basicsr.cli import main; "
        "code = main('restore pictures -m sr.pth --compare --gt gt'.split()); "
        "print(code, *sorted({'skimage', 'matplotlib', 'scipy', 'torchvision', 'pydantic'} & set(sys.modules)))"
    )
    for name in ("one", "two"):
        save(f"gt/{name}.png", RANDOM.integers(0, 256, (40, 56, 3), dtype=np.uint8))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert result.stdout.splitlines()[-1] == "0", "code, or a module that makes the start slow"


def test_reading_and_writing_overlap_the_restoration():
    events, reading_next, written_before = [], threading.Event(), threading.Event()

    def read(item):
        if item == 1:
            reading_next.set()
        return item

    def restore(group):
        events.append(group)
        if group == [0]:
            assert reading_next.wait(10)  # the next picture is read during this restoration
        if group == [3]:
            assert written_before.wait(10)  # and earlier ones are written
        return group

    def write(item, restored):
        time.sleep(0.01)
        written_before.set()
        return restored * 10

    assert list(overlapped(range(5), read, restore, write)) == [(item, item * 10) for item in range(5)]
    assert events == [[0], [1], [2], [3], [4]]


def test_failures_stay_with_their_item():
    def read(item):
        if item == 1:
            raise ValueError("read")
        return item

    def restore(group):
        if 3 in group:
            raise ValueError("restore")
        return group

    def write(item, restored):
        if item == 5:
            raise ValueError("write")
        return restored

    for batch in (1, 3):
        found = dict(overlapped(range(8), read, restore, write, batch, kind=lambda picture: picture < 6))
        failed = {item: str(result) for item, result in found.items() if isinstance(result, Exception)}
        assert failed == {1: "read", 3: "restore", 5: "write"}
        assert {item for item in found if item not in failed} == {0, 2, 4, 6, 7}
