"""Mutate option files at random and check each: wrong input must be refused in one line, and nothing be executed.

    python scripts/fuzz_options.py --count 500 --seed 0

Every case is a valid option file with one mutation; a mutation knows whether the result must be refused. The exit code
is 1 if a case ends in a traceback, does not end, or passes although it must be refused.
"""

import argparse
import contextlib
import io
import os
import random
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from tiny import options, write_images  # noqa: E402

import converse_basicsr.archs  # noqa: E402
import converse_basicsr.data  # noqa: E402
import converse_basicsr.metrics  # noqa: E402
import converse_basicsr.models  # noqa: E402, F401 (register)
from converse_basicsr.checks import check_run  # noqa: E402
from converse_basicsr.errors import UserError  # noqa: E402
from converse_basicsr.options.reading import read_options  # noqa: E402

SHIPPED = (
    "converse_dncnn",
    "converse_srresnet",
    "converse_usrnet",
    "converse_usrnet_on_device",
    "conversenet",
    "dncnn",
)
LIMIT = 30  # seconds for one case
LONGEST = 1000  # characters of a message
COMMAND = "touch hacked"
FREE = {"metrics"}  # the keys in these sections are names that the user chooses
COUNTS = ("total_iter", "val_freq", "print_freq", "save_checkpoint_freq", "batch_size_per_gpu", "gt_size", "periods")
NOT_NEGATIVE = (
    *COUNTS,
    "lr",
    "weight_decay",
    "eta_min",
    "ema_decay",
    "crop_border",
    "num_worker_per_gpu",
    "manual_seed",
)
SWITCHES = ("use_hflip", "use_rot", "pin_memory", "save_img", "use_tb_logger", "strict_load_g", "test_y_channel")
STRINGS = ("name", "model_type", "type", "dataroot_gt", "dataroot_lq", "prefetch_mode", "better", "color", "reduction")


@dataclass
class Case:
    """A mutated option file."""

    text: bytes
    must_fail: bool | None  # None: both are right
    what: str
    forced: list[str] = field(default_factory=list)


class Skip(Exception):
    """The mutation is not possible for this file."""


def base_files(folder: Path) -> list[dict]:
    """Valid options for training on small images in the folder, which is the current directory."""
    write_images(folder / "data")
    np.save(folder / "psf.npy", np.ones((7, 7)))
    files = [options()]
    for name in SHIPPED:
        opt = read_options(str(REPOSITORY / "options" / f"{name}.yml"))
        for section in opt["datasets"].values():
            section.update(dataroot_gt="data/HR", io_backend={"type": "disk"})
            section.update({"dataroot_lq": "data/LR"} if "dataroot_lq" in section else {})
            section.update({"gt_size": 32} if "gt_size" in section else {})
        small = {"num_feat": 4, "num_block": 1, "num_iterations": 1}
        opt["network_g"].update({key: value for key, value in small.items() if key in opt["network_g"]})
        files.append(opt)
    return files


def places(section: object, above: tuple = ()) -> Iterator[tuple]:
    """The keys that lead to every value in nested dicts."""
    if isinstance(section, dict):
        for key, value in section.items():
            yield (*above, key)
            yield from places(value, (*above, key))


def parent(opt: dict, place: tuple) -> dict:
    for key in place[:-1]:
        opt = opt[key]
    return opt


def leaves(opt: dict, names: tuple[str, ...]) -> list[tuple]:
    return [
        place for place in places(opt) if place[-1] in names and not isinstance(parent(opt, place)[place[-1]], dict)
    ]


def pick(rng: random.Random, found: list) -> tuple:
    if not found:
        raise Skip
    return rng.choice(found)


def dumped(opt: object) -> bytes:
    return yaml.safe_dump(opt, sort_keys=False, allow_unicode=True).encode()


# --- mutations: (random numbers, options) -> case --------------------------------------------------------------------


def nothing(rng: random.Random, opt: dict) -> Case:
    return Case(dumped(opt), False, "nothing")


def typo(rng: random.Random, opt: dict) -> Case:
    place = pick(rng, [place for place in places(opt) if len(place) < 2 or place[-2] not in FREE])
    section, key = parent(opt, place), place[-1]
    at = rng.randrange(len(key))
    letter = rng.choice("abcxyzABC019-")
    wrong = rng.choice([key[:at] + key[at + 1 :], key[:at] + letter + key[at:], key[:at] + letter + key[at + 1 :]])
    if wrong in section or not wrong or (place[0] == "datasets" and len(place) == 2 and wrong.startswith("val_")):
        raise Skip
    section[wrong] = section.pop(key)
    same = wrong == key or (place[:-1] == ("datasets",) and wrong.split("_")[0] == "val")
    return Case(dumped(opt), not same, f"typo {':'.join(place)} -> {wrong}")


def wrong_type(rng: random.Random, opt: dict) -> Case:
    kinds = {
        COUNTS: ["many", True, {}, 1.5, None],
        SWITCHES: ["yes", 1, 0, [], {}, None],
        STRINGS: [3, True, [], {}, 1.5],
    }
    names = rng.choice(list(kinds))
    place = pick(rng, leaves(opt, names))
    value = rng.choice(kinds[names])
    must = value is not None or place[-1] not in ("use_hflip", "use_rot", "gt_size")  # ~: not given
    parent(opt, place)[place[-1]] = value
    return Case(dumped(opt), must or None, f"{':'.join(place)} = {value!r}")


def not_finite(rng: random.Random, opt: dict) -> Case:
    numbers = [place for place in places(opt) if type(parent(opt, place)[place[-1]]) in (int, float)]
    place, value = pick(rng, numbers), rng.choice([float("nan"), float("inf"), -float("inf"), 10**30, -(10**30)])
    parent(opt, place)[place[-1]] = value
    return Case(dumped(opt), True, f"{':'.join(place)} = {value}")


def negative(rng: random.Random, opt: dict) -> Case:
    place, value = pick(rng, leaves(opt, NOT_NEGATIVE)), rng.choice([-1, -0.5, -(10**9)])
    parent(opt, place)[place[-1]] = [value] if place[-1] == "periods" else value
    return Case(dumped(opt), True, f"{':'.join(place)} = {value}")


def any_value(rng: random.Random, opt: dict) -> Case:
    place = pick(rng, list(places(opt)))
    value = rng.choice([None, 0, -1, 1.5, "", "x" * 1000, [], {}, [[[]]], {"a": {"b": [1]}}, True, "\u2028\x07", 10**9])
    parent(opt, place)[place[-1]] = value
    return Case(dumped(opt), None, f"{':'.join(place)} = {str(value)[:20]!r}")


def deleted(rng: random.Random, opt: dict) -> Case:
    place = pick(rng, list(places(opt)))
    del parent(opt, place)[place[-1]]
    needed = {
        "name",
        "model_type",
        "num_gpu",
        "datasets",
        "network_g",
        "path",
        "train",
        "logger",
        "total_iter",
        "optim_g",
    }
    return Case(dumped(opt), True if place[-1] in needed and len(place) < 3 else None, f"without {':'.join(place)}")


def junk(rng: random.Random, opt: dict) -> Case:
    place = pick(rng, [place for place in places(opt) if isinstance(parent(opt, place)[place[-1]], dict)])
    value = rng.choice([[1, 2], "text", 3, True, [[{}]]])
    parent(opt, place)[place[-1]] = value
    return Case(dumped(opt), True, f"{':'.join(place)} = {value!r}")


def unknown_key(rng: random.Random, opt: dict) -> Case:
    sections = [place for place in places(opt) if isinstance(parent(opt, place)[place[-1]], dict)]
    place = rng.choice([(), *(place for place in sections if place[-1] not in FREE)])
    parent(opt, (*place, ""))[rng.choice(["zzz", "a b", "__class__", "\u00e9", "model_config", "self", "<script>"])] = 1
    return Case(dumped(opt), True, f"unknown key in {':'.join(place)}")


def bad_name(rng: random.Random, opt: dict) -> Case:
    names = [place for place in places(opt) if place[-1] == "name"]
    value = rng.choice(
        ["../precious", "/abs", "a/b", ".", "..", ".hidden", "-rf", "", "a\nb", "x" * 300, "a\x00b", "a b"]
    )
    place = pick(rng, names)
    parent(opt, place)["name"] = value
    return Case(dumped(opt), True, f"{':'.join(place)} = {value[:20]!r}")


def bad_path(rng: random.Random, opt: dict) -> Case:
    places_of_paths = [place for place in places(opt) if place[-1].startswith(("dataroot", "pretrain", "resume"))]
    place = pick(rng, places_of_paths)
    value = rng.choice(
        ["none", "data/HR/image0.png/x", "pipe", "/dev/zero", "a\x00b", "x" * 5000, "empty.pth", "notes.txt"]
    )
    parent(opt, place)[place[-1]] = value
    return Case(dumped(opt), True if place[-1] != "resume_state" else None, f"{':'.join(place)} = {value[:20]!r}")


def bad_schedule(rng: random.Random, opt: dict) -> Case:
    scheduler = opt["train"]["scheduler"]
    key, value = rng.choice(
        [
            ("periods", [1]),
            ("periods", []),
            ("periods", [0, 600]),
            ("restart_weights", [1, 1]),
            ("restart_weights", [0]),
            ("type", "StepLR"),
            ("milestones", [1]),
            ("eta_min", "0"),
            ("gamma", 1),
        ]
    )
    scheduler[key] = value
    return Case(dumped(opt), True, f"train:scheduler:{key} = {value}")


def truncated(rng: random.Random, opt: dict) -> Case:
    text = dumped(opt)
    return Case(text[: rng.randrange(len(text))], None, "truncated")


def odd_bytes(rng: random.Random, opt: dict) -> Case:
    text = bytearray(dumped(opt))
    for _ in range(rng.randrange(1, 4)):
        text.insert(rng.randrange(len(text)), rng.randrange(256))
    return Case(bytes(text), None, "odd bytes")


def not_utf_8(rng: random.Random, opt: dict) -> Case:
    text = dumped(opt)
    at = rng.randrange(len(text))
    return Case(text[:at] + b"\xff" + text[at:], True, "not UTF-8")


def shuffled_lines(rng: random.Random, opt: dict) -> Case:
    lines = dumped(opt).splitlines()
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return Case(b"\n".join(lines), None, "two lines exchanged")


def alias(rng: random.Random, opt: dict) -> Case:
    bomb = "l0: &l0 [1]\n" + "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    deep = "deep: " + "[" * rng.choice([40, 900, 20000])
    extra = rng.choice(["x-a: &a [*a]\n", "x-a: &a {<<: *a}\n", "a: &a {b: *a}\n", "a: *none\n", bomb, deep])
    return Case(dumped(opt) + extra.encode(), True, f"alias {extra[:12]!r}")


def tag(rng: random.Random, opt: dict) -> Case:
    place = pick(rng, list(places(opt)))
    parent(opt, place)[place[-1]] = "MUTATED"
    value = rng.choice(
        [
            f"!!python/object/apply:os.system ['{COMMAND}']",
            "!!python/name:os.system",
            "!!set {a}",
            "!!binary aGFsbG8=",
            "!mine 3",
            "2024-01-01",
            "!!int x",
            "!!omap [a: 1]",
            "!!timestamp 2024-01-01",
            "1e-7",
        ]
    )
    return Case(dumped(opt).replace(b"MUTATED", value.encode()), True, f"{':'.join(place)}: {value}")


def twice(rng: random.Random, opt: dict) -> Case:
    key = rng.choice(list(opt))
    return Case(dumped(opt) + dumped({key: opt[key]}), True, f"{key} twice")


def forced(rng: random.Random, opt: dict) -> Case:
    entry, must_fail = rng.choice(
        [
            (f"train:scheduler:periods=[__import__('os').system('{COMMAND}') or 4]", True),
            (f"""name"]=__import__("os").system("{COMMAND}");opt["name=1""", True),
            (f"name=!!python/object/apply:os.system ['{COMMAND}']", True),
            ("train:totl_iter=3", True),
            ("trian:total_iter=3", True),
            ("name", True),
            ("=1", True),
            (":=1", True),
            ("name=", True),
            ("name=../x", True),
            ("train:optim_g:lr=nan", True),
            ("train:optim_g:lr=.inf", True),
            ("train:optim_g:lr=-1", True),
            ("train:total_iter=1e3", True),
            ("train={}", True),
            ("datasets=~", True),
            ("name=*x", True),
            ("name=" + "[" * 9999, True),
            ("name=\x00", True),
            ("a:b:c:d=1", True),
            ("train:optim_g:lr=1e-4", False),
            ("train:optim_g:lr=!!float1e-4", False),
            ("name=a-b", False),
            ("val=~", False),
            ("val:metrics=none", False),
            ("train:total_iter=1", False),
            ("manual_seed=None", False),
        ]
    )
    return Case(dumped(opt), must_fail, f"--force_yml {entry[:60]}", [entry])


MUTATIONS: tuple[Callable[[random.Random, dict], Case], ...] = (
    nothing, typo, typo, typo, wrong_type, wrong_type, not_finite, not_finite, negative, any_value, any_value,
    any_value, deleted, deleted, junk, unknown_key, bad_name, bad_path, bad_path, bad_schedule, truncated,
    truncated, odd_bytes, odd_bytes, not_utf_8, shuffled_lines, alias, tag, tag, twice, forced, forced, forced,
)  # fmt: skip


def cases(count: int, seed: int, files: list[dict]) -> Iterator[Case]:
    rng = random.Random(seed)
    made = 0
    while made < count:
        with contextlib.suppress(Skip):
            yield rng.choice(MUTATIONS)(rng, deepcopy(rng.choice(files)))
            made += 1


class Hang(BaseException):
    """A case took too long."""


def outcome(case: Case) -> tuple[str, str]:
    """What became of a case, and the message."""

    def stop(*_: object) -> None:
        raise Hang

    Path("case.yml").write_bytes(case.text)
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            check_run(read_options("case.yml", case.forced), is_train=True)
    except UserError as error:
        message = str(error)
        if "\n" in message or len(message) > LONGEST:
            return "traceback", f"not one line: {message[:200]!r}"
        return ("false alarm" if case.must_fail is False else "refused"), message
    except Hang:
        return "hang", ""
    except BaseException as error:
        return "traceback", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    return ("silent success" if case.must_fail else "accepted"), ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500, help="number of cases (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random mutations (default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print every case")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    counts: Counter[str] = Counter()
    start = os.getcwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            files = base_files(Path(name))
            Path("empty.pth").touch()
            Path("notes.txt").write_text("not an image")
            os.mkfifo("pipe")
            for case in cases(args.count, args.seed, files):
                kind, message = outcome(case)
                counts[kind] += 1
                counts["catch-all"] += message.startswith("invalid options")
                if args.verbose or kind not in ("refused", "accepted") or message.startswith("invalid options"):
                    print(f"{kind}: {case.what}: {message}")
            executed = os.path.exists("hacked")
        finally:
            os.chdir(start)
    bad = ("traceback", "hang", "silent success", "false alarm")
    listed = ", ".join(f"{counts[kind]} {kind}" for kind in ("refused", "accepted", *bad))
    print(f"{args.count} mutated option files (seed {args.seed}): {listed}, {int(executed)} executed code; "
          f"{counts['catch-all']} of the refusals by the last resort")  # fmt: skip
    return int(executed or any(counts[kind] for kind in bad))


if __name__ == "__main__":
    sys.exit(main())
