"""README and docs: every block is run, or at least checked; the comments in tests/markdown_blocks.py say which."""

import contextlib
import doctest
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import REPOSITORY
from documented_commands import check_command, check_mention, commands_in, own_arguments
from markdown_blocks import Block, blocks_of, code_in_text, pages
from PIL import Image

from converse_basicsr.benchmark.schema import WrittenFile
from converse_basicsr.cli import main
from converse_basicsr.files.checkpoint import save_file
from converse_basicsr.networks import ConverseDnCNN, ConverseSRResNet
from converse_basicsr.options.constructors import check_options
from converse_basicsr.options.reading import read_mapping, read_options
from converse_basicsr.options.schema import check_schema
from converse_basicsr.options.validating import validated

BLOCKS = {page.relative_to(REPOSITORY).as_posix(): blocks_of(page) for page in pages()}
RUN = {name: [block for block in blocks if block.needs <= {"weights"}] for name, blocks in BLOCKS.items()}
SLOW = ("train", "benchmark", "reproduce")  # commands that a test does not run
LOADER = ("name", "num_worker_per_gpu", "batch_size_per_gpu")  # needed keys of a data set of any type
ELLIPSIS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture
def desk(in_tmp) -> Path:
    """The current directory of a reader: pictures, a trained network or two, and what the repository has."""
    for name in ("options", "scripts", "examples"):
        Path(name).symlink_to(REPOSITORY / name)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    for name in ("photo.jpg", "photos/one.png", "photos/trip/two.jpg", "scans/page.tif"):
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(name)
    Path("experiments/mine/models").mkdir(parents=True)
    _save("experiments/mine/models/net_g_latest.pth", ConverseSRResNet, num_feat=4, num_block=1)
    _save("net_g_latest.pth", ConverseSRResNet, num_feat=4, num_block=1)
    _save("denoiser.pth", ConverseDnCNN, num_feat=4, num_block=1, kernel_size=3)
    return in_tmp


def _save(file: str, network: type, **options) -> None:
    weights = network(**options).state_dict()
    save_file({"params": weights, "network_options": {"type": network.__name__, **options}}, file)


def ids(block: Block) -> str:
    return block.place


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize("block", [block for blocks in BLOCKS.values() for block in blocks], ids=ids)
def test_is_valid(block, tmp_path):
    """Commands, options and files exist; Python compiles; YAML has known keys."""
    if block.language in ("bash", "console"):
        for words in commands_in(block.text):
            check_command(words)
            own = own_arguments(words)
            assert block.needs or (own and own[0] not in SLOW), (
                f"{words}: say what the block needs (markdown_blocks.py)"
            )
    elif block.language == "python":
        compile(block.before + block.text, block.place, "exec")
    elif block.language == "yaml":
        (tmp_path / "block.yml").write_text(block.text)
        check_fragment(read_mapping(str(tmp_path / "block.yml")))


@pytest.mark.parametrize("page", BLOCKS)
def test_names_in_the_text_exist(page):
    for code in code_in_text(REPOSITORY / page):
        check_mention(code)


@pytest.mark.parametrize("page", BLOCKS)
def test_no_marks_of_a_merge_are_left(page):
    assert not re.findall(
        r"^(?:<{7}|={7}|>{7})(?: .*)?$", (REPOSITORY / page).read_text(encoding="utf-8"), re.MULTILINE
    )


@pytest.mark.usefixtures("desk", "needs_basicsr")
@pytest.mark.parametrize("page", [page for page, blocks in RUN.items() if any(not block.needs for block in blocks)])
def test_runs(page):
    run_page([block for block in RUN[page] if not block.needs])


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize("page", [page for page, blocks in RUN.items() if any(block.needs for block in blocks)])
def test_runs_with_weights(page, desk, assets, monkeypatch):
    monkeypatch.setenv("CONVERSE_ASSETS", str(assets))
    for file in (assets / "weights").glob("*.pth"):
        (desk / file.name).symlink_to(file)
    run_page(RUN[page])


def run_page(blocks: list[Block]) -> None:
    """Run the blocks in order; those of Python share their names."""
    names: dict[str, object] = {"__name__": "__page__"}
    torch.manual_seed(0)
    for block in blocks:
        exec(compile(block.before, f"{block.place} (before)", "exec"), names)
        if block.language == "python":
            start = "\n" * (block.line - 1)  # so that a traceback has the line of the page
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(start + block.text, REPOSITORY / block.page, "exec"), names)
        elif block.language in ("bash", "console"):
            run_commands(block)


def run_commands(block: Block) -> None:
    outputs = re.split(r"^\$ .*\n", block.text, flags=re.MULTILINE)[1:]
    for index, words in enumerate(commands_in(block.text)):
        arguments = own_arguments(words)
        assert arguments is not None, f"{block.place}: only our command is run: {words}; say what the block needs"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = main(arguments)
        assert code == 0, f"{block.place}: {words} ended with {code}"
        if block.language == "console":
            found, expected = printed.getvalue(), outputs[index]
            assert doctest.OutputChecker().check_output(expected, found, ELLIPSIS), f"{block.place}: got {found}"


def check_fragment(fragment: dict) -> None:
    """A part of an option file fits when it is put into a shipped one."""
    from converse_basicsr.archs import ARCH_REGISTRY

    if "models" in fragment:
        validated(WrittenFile, fragment)
        return
    opt = read_options(str(REPOSITORY / "options/converse_srresnet.yml"))
    opt = merged({**opt, "model_type": "RestorationModel"}, fragment)
    check_schema(opt, is_train=True)
    check_options("network_g", opt["network_g"], ARCH_REGISTRY.get(opt["network_g"]["type"]))


def merged(below: dict, above: dict) -> dict:
    """The sections of both; a section with another type replaces the one below, except the data loader's keys."""
    if above.get("type") not in (None, below.get("type")):
        return {**{key: below[key] for key in LOADER if key in below}, **above}
    sections = {key: merged(below[key], value) for key, value in above.items() if _are_dicts(below.get(key), value)}
    return {**below, **above, **sections}


def _are_dicts(*values: object) -> bool:
    return all(isinstance(value, dict) for value in values)
