"""Measures `basicsr restore`: start, small pictures, memory of large ones: python scripts/measure_restore.py --start

    --start      seconds from the start of the command to its first output file, for a 48x48 picture
    --small      time of 100 pictures of 48x48 beside the network's own: the same calls on tensors in memory
    --denoise    largest resident memory and time for a 3000x2000 photograph, with --memory 4GB
    --enlarge    the same for a 1500x1000 photograph, enlarged x4

--pixels N takes a crop of about N pixels of the large ones. Weights are the published ones if they are here
(CONVERSE_ASSETS), else random ones of the same networks: time and memory are the same. Photographs are scikit-image's,
resized. Linux only.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SMALL, COUNT = 48, 100


def photograph(width: int, height: int) -> Image.Image:
    from skimage import data

    return Image.fromarray(data.astronaut()).resize((width, height), Image.Resampling.BICUBIC)


def weights(name: str, folder: Path) -> str:
    """The published file, or one of the same size with random weights."""
    from converse_basicsr import networks
    from converse_basicsr.files.assets import assets_folder
    from converse_basicsr.files.checkpoint import save_file

    types = {"converse_dncnn": "ConverseDnCNN", "converse_srresnet": "ConverseSRResNet"}
    assets = assets_folder()
    if assets and (assets / f"weights/{name}.pth").is_file():
        return str(assets / f"weights/{name}.pth")
    network = getattr(networks, types[name])()
    save_file(network.state_dict(), folder / f"{name}.pth")
    return str(folder / f"{name}.pth")


def restore(*args: str) -> tuple[float, int, str]:
    """Run the command: seconds, largest resident bytes of its process, and its output."""
    read, write = os.pipe()
    start = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)]
    command = [sys.executable, "-m", "converse_basicsr", "restore", *args]
    process = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
    os.close(write)
    with os.fdopen(read) as pipe:
        printed = pipe.read()
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"restore failed: {printed}")
    return time.perf_counter() - start, 1024 * usage.ru_maxrss, printed


def measure_start(folder: Path) -> None:
    photograph(SMALL, SMALL).save(folder / "one.png")
    for model in ("converse_srresnet", "converse_dncnn"):
        out = folder / f"start_{model}"
        seconds, memory, _ = restore(str(folder / "one.png"), "-m", weights(model, folder), "-o", str(out))
        print(f"{model}: one {SMALL}x{SMALL} picture in {seconds:.2f} s, {memory / 1e9:.2f} GB", flush=True)


def measure_small(folder: Path) -> None:
    from converse_basicsr.cli.allocator import keep_large_buffers
    from converse_basicsr.cli.waiting import shorten_spinning

    shorten_spinning()  # as the command does, before torch is loaded
    keep_large_buffers()

    import torch

    from converse_basicsr import load_network

    (folder / "small").mkdir()
    random = np.random.default_rng(0)
    whole = np.asarray(photograph(512, 512))
    for number in range(COUNT):
        top, left = random.integers(0, 512 - SMALL, 2)
        Image.fromarray(whole[top : top + SMALL, left : left + SMALL]).save(folder / f"small/{number:03}.png")
    for model in ("converse_srresnet", "converse_dncnn"):
        file = weights(model, folder)
        network = load_network(file)
        pictures = [np.asarray(Image.open(path)) for path in sorted((folder / "small").iterdir())]
        if network.in_channels == 1:
            pictures = [np.asarray(Image.fromarray(picture).convert("L"))[..., None] for picture in pictures]
        inputs = [
            torch.from_numpy(picture / np.float32(255)).permute(2, 0, 1)[None].contiguous() for picture in pictures
        ]
        with torch.no_grad():
            network(inputs[0])
            start = time.perf_counter()
            for x in inputs:
                network(x)
        own = time.perf_counter() - start
        one, _, _ = restore(str(folder / "small/000.png"), "-m", file, "-o", str(folder / f"one_{model}"))
        all_, _, _ = restore(str(folder / "small"), "-m", file, "-o", str(folder / f"all_{model}"))
        spent = (all_ - one) * COUNT / (COUNT - 1)
        print(
            f"{model}: network {own:.2f} s, restore {all_:.2f} s, without its start {spent:.2f} s "
            f"({100 * (spent / own - 1):+.0f} %)", flush=True
        )  # fmt: skip


def measure_large(folder: Path, model: str, width: int, height: int, pixels: int | None) -> None:
    share = 1.0 if pixels is None else min(1.0, (pixels / (width * height)) ** 0.5)
    size = round(width * share), round(height * share)
    picture = photograph(width, height).crop((0, 0, *size))
    picture.save(folder / f"{model}.png")
    seconds, memory, printed = restore(
        str(folder / f"{model}.png"), "-m", weights(model, folder), "-o", str(folder / "large"), "--memory", "4GB"
    )
    print(printed.strip())
    print(f"{model}: {size[0]}x{size[1]} in {seconds:.0f} s, {memory / 1e9:.2f} GB at most", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("start", "small", "denoise", "enlarge"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--pixels", type=int, metavar="N", help="of the large photographs")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        if args.start:
            measure_start(folder)
        if args.small:
            measure_small(folder)
        if args.denoise:
            measure_large(folder, "converse_dncnn", 3000, 2000, args.pixels)
        if args.enlarge:
            measure_large(folder, "converse_srresnet", 1500, 1000, args.pixels)


if __name__ == "__main__":
    main()
