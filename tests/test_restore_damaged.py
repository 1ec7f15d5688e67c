"""basicsr restore on 200 damaged and odd files among good ones: each is one line, and every good one is restored."""

import sys
from pathlib import Path

import numpy as np
from conftest import REPOSITORY
from tiny_weights import save_network

from converse_basicsr.cli import main
from converse_basicsr.images.reading import read_picture
from converse_basicsr.networks import DnCNN

sys.path.insert(0, str(REPOSITORY / "scripts"))

from fuzz_images import MUTATIONS, SIDE, encode, wrong_size

COUNT = 200  # mutated files, and a quarter as many good ones


def test_damaged_and_odd_files(in_tmp, capsys):
    save_network("dncnn.pth", DnCNN, num_in_ch=3, num_feat=4, num_layer=2)
    random = np.random.default_rng(0)
    Path("in").mkdir()
    good, unusable = set(), set()
    for number in range(COUNT):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        suffix, content, is_unusable = mutation(random)
        name = f"{number:03}_{mutation.__name__}.{suffix}"
        Path("in", name).write_bytes(content)
        if mutation is wrong_size:  # too small for a patch only
            good.add(name)
        elif is_unusable:
            unusable.add(name)
        if number % 4 == 0:
            suffix, content = encode(random)
            Path("in", f"{number:03}_good.{suffix}").write_bytes(content)
            good.add(f"{number:03}_good.{suffix}")
    names = [f"in/{path.name}" for path in sorted(Path("in").iterdir())]

    assert main(["restore", *names, "-m", "dncnn.pth", "--format", "png"]) == 1

    printed = capsys.readouterr()
    lines = [*printed.out.splitlines(), *printed.err.splitlines()]
    failed = {line.removeprefix("failed: in/").partition(": ")[0] for line in lines if line.startswith("failed: ")}
    assert "Traceback" not in printed.out + printed.err and "unexpected" not in printed.err
    restored = {path.stem for path in Path("restored").iterdir()}
    assert {Path(name).stem for name in good} <= restored
    assert unusable <= failed and not good & failed
    assert len(restored) + len(failed) == len(names) == len(lines) - 2  # the network, and the summary
    for name in good:
        side = read_picture(f"restored/{Path(name).stem}.png").pixels.shape[0]
        assert side == SIDE or "wrong_size" in name
