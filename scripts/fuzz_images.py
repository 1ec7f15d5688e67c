"""Feeds broken and odd image files to the checks and to the data sets: python scripts/fuzz_images.py --count 1000.

Every case is a data set of a few images, one of them mutated, made from (seed, number). It must be refused in one line
that names the set, or be read completely. Counted as failures: other exceptions, crashes, hangs, too much memory, and
files that are known to be unusable but accepted. Exit code 1 after a failure.
"""

import argparse
import io
import multiprocessing
import multiprocessing.connection
import os
import resource
import struct
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIDE, SCALE = 48, 4
GOOD = 3  # unchanged images in every set
SECONDS = 30  # until a case counts as a hang
MEMORY = 2**31  # bytes more than before the first case; an image of the largest size that is allowed needs 1 GiB
FAILURES = ("traceback", "crash", "hang", "memory", "silent")
FORMATS = {
    "png": ("PNG", {}), "jpg": ("JPEG", {}), "progressive.jpg": ("JPEG", {"progressive": True}), "bmp": ("BMP", {}),
    "tif": ("TIFF", {}), "lzw.tif": ("TIFF", {"compression": "tiff_lzw"}), "webp": ("WEBP", {}), "gif": ("GIF", {}),
    "ppm": ("PPM", {}), "jp2": ("JPEG2000", {}),
}  # fmt: skip
MODES = ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F")
SETS = {  # type: options, phases
    "GroundTruthDataset": ({}, ("train", "val")),
    "GaussianDenoisingDataset": ({"sigma": 25, "color": "gray"}, ("train", "val")),
    "BicubicSRDataset": ({}, ("val",)),
    "PairedImageDataset": ({"use_hflip": False, "use_rot": False}, ("train", "val")),
    "SingleImageDataset": ({}, ("val",)),
}

Random = np.random.Generator
Mutated = tuple[str, bytes, bool]  # suffix, content, whether it is known to be unusable


def encode(random: Random, side: int = SIDE, suffix: str | None = None) -> tuple[str, bytes]:
    """A random image in a random format: (suffix, content)."""
    suffix = suffix or str(random.choice(list(FORMATS)))
    name, options = FORMATS[suffix]
    buffer = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(buffer, name, **options)
    return suffix, buffer.getvalue()


def truncated(random: Random) -> Mutated:
    suffix, content = encode(random)
    return suffix, content[: int(len(content) * random.uniform(0, 0.97))], True


def flipped_bits(random: Random) -> Mutated:
    suffix, content = encode(random)
    return suffix, damaged(random, content, len(content)), False


def flipped_header(random: Random) -> Mutated:
    suffix, content = encode(random)
    return suffix, damaged(random, content, 96), False


def damaged(random: Random, content: bytes, end: int) -> bytes:
    changed = bytearray(content)
    for position in random.integers(0, min(end, len(content)), random.integers(1, 20)):
        changed[position] ^= 1 << random.integers(8)
    return bytes(changed)


def zeroed(random: Random) -> Mutated:
    suffix, content = encode(random)
    start, length = random.integers(0, len(content)), random.integers(1, 500)
    return suffix, (content[:start] + bytes(length) + content[start + length :])[: len(content)], False


def wrong_suffix(random: Random) -> Mutated:
    return str(random.choice(["png", "jpg", "tif", "xyz"])), encode(random)[1], False


def empty(random: Random) -> Mutated:
    return "png", b"", True


def random_bytes(random: Random) -> Mutated:
    start = encode(random)[1][: random.integers(0, 12)]  # with or without the first bytes of an image
    return "png", start + random.bytes(random.integers(1, 3000)), True


def text(random: Random) -> Mutated:
    return str(random.choice(["png", "jpg"])), b"version https://example.org/spec\noid sha256:0\n" * 3, True


def declared_huge(random: Random) -> Mutated:
    """A small PNG, BMP or PGM that declares up to 2^31 pixels a side."""
    width, height = (int(2 ** random.uniform(15, 30.9)) for _ in range(2))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(10**6))), (b"IEND", b""))
    png = b"".join(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
                   for kind, data in chunks)  # fmt: skip
    bmp = bytearray(encode(random, suffix="bmp")[1])
    bmp[18:26] = struct.pack("<ii", width, height)
    suffix, content = (("png", b"\x89PNG\r\n\x1a\n" + png), ("bmp", bytes(bmp)),
                       ("ppm", b"P6 %d %d 255\n" % (width, height) + bytes(3000)))[random.integers(3)]  # fmt: skip
    return suffix, content, True


def odd_mode(random: Random) -> Mutated:
    mode = str(random.choice(MODES))
    pixels = random.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    image = Image.fromarray(pixels.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(pixels).convert(mode)
    name = "TIFF" if mode in ("CMYK", "I", "F") else "PNG"
    buffer = io.BytesIO()
    image.save(buffer, name)
    return name.lower(), buffer.getvalue(), mode in ("I", "F")


def wrong_size(random: Random) -> Mutated:
    """Too small for a patch and for its pair."""
    return *encode(random, side=int(random.integers(1, 16))), True


def several_frames(random: Random) -> Mutated:
    frames = [Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)) for _ in range(3)]
    name = str(random.choice(["GIF", "WEBP", "TIFF", "PNG"]))
    buffer = io.BytesIO()
    frames[0].save(buffer, name, save_all=True, append_images=frames[1:])
    return name.lower(), damaged(random, buffer.getvalue(), 2000) if random.random() < 0.5 else buffer.getvalue(), False


MUTATIONS: tuple[Callable[[Random], Mutated], ...] = (
    truncated, truncated, flipped_bits, flipped_header, zeroed, wrong_suffix, empty, random_bytes, text,
    declared_huge, odd_mode, wrong_size, several_frames,
)  # fmt: skip
STORES = ("folder", "folder", "folder", "lmdb", "short lmdb", "damaged lmdb", "named pipe", "dangling link")


def make_case(random: Random, folder: Path) -> tuple[str, dict, str, bool]:
    """Write a data set: (description, its options, phase, whether it is known to be unusable)."""
    kind = str(random.choice(list(SETS)))
    options, phases = SETS[kind]
    phase = str(random.choice(phases))
    mutation = MUTATIONS[random.integers(len(MUTATIONS))]
    store = str(random.choice(STORES))
    suffix, content, unusable = mutation(random)
    if mutation is wrong_size:  # a validation set may hold images of any size, but pairs must fit
        unusable = phase == "train" or kind == "PairedImageDataset"
    files = [encode(random, suffix="png") for _ in range(GOOD)]
    position = random.integers(GOOD + 1)
    files.insert(position, (suffix, content))
    role = "lq" if kind == "SingleImageDataset" else "gt"
    roots = {role: folder / f"{role}{'.lmdb' if 'lmdb' in store else ''}"}
    if kind == "PairedImageDataset":
        roots["lq"] = roots["gt"].with_name(roots["gt"].name.replace("gt", "lq"))
    for name, root in roots.items():
        paired = name == "lq" and kind == "PairedImageDataset"
        own = [(file[0], encode(random, SIDE // SCALE, "png")[1]) for file in files] if paired else files
        write_lmdb(root, own) if "lmdb" in store else write_folder(root, own)
    mutated = roots[role] / f"image{position}.{suffix}"
    if store == "short lmdb":
        with (roots[role] / "data.mdb").open("r+b") as file:
            file.truncate(int(random.uniform(0, 0.97) * file.seek(0, os.SEEK_END)))
        unusable = True
    elif store == "damaged lmdb":
        data = roots[role] / "data.mdb"
        data.write_bytes(damaged(random, data.read_bytes(), data.stat().st_size))
    elif store == "named pipe":
        mutated.unlink()
        os.mkfifo(mutated)
    elif store == "dangling link":
        mutated.unlink()
        mutated.symlink_to("nothing")
    if store in ("named pipe", "dangling link"):  # BasicSR leaves them out; a pair is then incomplete
        unusable = kind != "SingleImageDataset"
    section = {"name": "set", "type": kind, **options, "io_backend": {"type": "lmdb" if "lmdb" in store else "disk"}}
    section |= {f"dataroot_{name}": str(root) for name, root in roots.items()}
    section |= {"gt_size": 16} if phase == "train" else {}
    return f"{kind} {phase}, {store}, {mutation.__name__} ({suffix})", section, phase, unusable


def write_folder(root: Path, files: list[tuple[str, bytes]]) -> None:
    root.mkdir()
    for number, (suffix, content) in enumerate(files):
        (root / f"image{number}.{suffix}").write_bytes(content)


def write_lmdb(root: Path, files: list[tuple[str, bytes]]) -> None:
    from basicsr.utils.lmdb_util import LmdbMaker

    maker = LmdbMaker(str(root), map_size=2**26)
    for number, (_, content) in enumerate(files):
        maker.put(content, f"image{number}", (SIDE, SIDE, 3))
    maker.close()


def run_case(seed: int, number: int) -> tuple[str, str, str]:
    """(description, outcome, message) of one case."""
    from converse_basicsr.checks.datasets import check_dataset
    from converse_basicsr.errors import UserError

    from basicsr.data import build_dataset

    random = np.random.default_rng((seed, number))
    with tempfile.TemporaryDirectory() as folder:
        description, section, phase, unusable = make_case(random, Path(folder))
        try:
            check_dataset("train", section, phase, SCALE)
        except UserError as error:
            named = str(error).startswith("datasets:train") and "\n" not in str(error)
            return description, "refused before training" if named else "traceback", str(error)
        except Exception as error:
            return description, "traceback", repr(error)
        try:
            dataset = build_dataset({**section, "phase": phase, "scale": SCALE})
            for index in range(len(dataset)):
                dataset[index]
        except UserError as error:
            named = str(error).startswith(folder) or "image" in str(error)
            return description, "refused when read" if named else "traceback", str(error)
        except Exception as error:
            ours = not type(dataset).__module__.startswith("basicsr")
            return description, "traceback" if ours else "refused when read", repr(error)
        return description, "silent" if unusable else "accepted", ""


def work(connection: multiprocessing.connection.Connection, seed: int) -> None:
    import converse_basicsr.data  # noqa: F401 (registers)

    run_case(seed, 0)
    cv2.setNumThreads(1)
    before = peak_memory()
    connection.send("ready")
    while (number := connection.recv()) is not None:
        result = run_case(seed, number)
        if peak_memory() - before > MEMORY:
            result = (result[0], "memory", f"{(peak_memory() - before) / 2**20:.0f} MiB")
        connection.send(result)


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Worker:
    """A process that runs cases; after a crash or a hang the next case gets a new one."""

    def __init__(self, seed: int):
        self.seed, self.process = seed, None

    def run(self, number: int) -> tuple[str, str, str]:
        if self.process is None:
            self.start()
        self.connection.send(number)
        result = self.receive(SECONDS)
        if result is None:
            outcome = "hang" if self.process.is_alive() else "crash"
            self.stop()
            return f"case {number}", outcome, ""
        if result[1] == "memory":
            self.stop()
        return result

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, self.seed), daemon=True)
        self.process.start()
        other.close()
        if self.receive(300) != "ready":
            raise SystemExit("the first case ends the worker")

    def receive(self, seconds: float) -> object:
        try:
            return self.connection.recv() if self.connection.poll(seconds) else None
        except EOFError:
            self.process.join()
            return None

    def end(self) -> None:
        if self.process is not None:
            self.connection.send(None)
            self.process.join()

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.process = None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="number of cases (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="run one case and show its result")
    args = parser.parse_args()
    worker, outcomes = Worker(args.seed), Counter()
    for number in range(args.count) if args.only is None else [args.only]:
        description, outcome, message = worker.run(number)
        outcomes[outcome] += 1
        if outcome in FAILURES or args.only is not None:
            print(f"case {number}: {outcome}: {description}: {message}", flush=True)
    worker.end()
    failures = sum(outcomes[outcome] for outcome in FAILURES)
    counts = ", ".join(
        f"{outcomes[outcome]} {outcome}"
        for outcome in ("refused before training", "refused when read", "accepted", *FAILURES)
    )
    print(f"{sum(outcomes.values())} mutated data sets, seed {args.seed}: {counts}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
