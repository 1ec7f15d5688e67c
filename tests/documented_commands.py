"""Checks of command lines that a page shows: programs, options and files exist, forced values fit the schema."""

import contextlib
import importlib.util
import io
import re
import shlex
from argparse import Namespace
from itertools import takewhile

from conftest import REPOSITORY

from converse_basicsr.benchmark.spec import read_benchmark
from converse_basicsr.cli import build_parser
from converse_basicsr.options.reading import read_options
from converse_basicsr.options.schema import check_schema

OWN = ("basicsr", "converse-basicsr")
SHELL = ("source", "if", "fi", "then", "tensorboard", "scontrol", "export", "cd", "git")  # nothing to check
FOLDERS = re.compile(r"^(options|scripts|docs|integrations|tests|examples)/[\w./-]+$")  # of the repository


def commands_in(text: str) -> list[list[str]]:
    """The command lines of a block, in words, without prompts, comments and what a console block shows as output."""
    lines = text.replace("\\\n", " ").splitlines()
    if text.startswith("$ "):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


def own_arguments(words: list[str]) -> list[str] | None:
    """The arguments of our command, also behind variables, srun, torchrun or python -m; None for other programs."""
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    if words and words[0] in OWN:
        return words[1:]
    if "converse_basicsr" in words and words[words.index("converse_basicsr") - 1] == "-m":
        return words[words.index("converse_basicsr") + 1 :]
    return None


def check_command(words: list[str]) -> None:
    """Fail if the command line cannot be right."""
    for word in words:
        if FOLDERS.match(word):
            assert (REPOSITORY / word).exists(), f"{word} does not exist"
    while re.match(r"\w+=", words[0]):
        words = words[1:]
    if words[0] == "torchrun":
        _check_torchrun(words[1:])
    arguments = own_arguments(words)
    if arguments is not None:
        _check_own(arguments)
    elif words[0] == "python":
        _check_python(words[1:])
    elif words[0] == "pip":
        _check_pip(words[1:])
    elif words[0] == "bash":
        assert (REPOSITORY / words[1]).is_file(), f"no script {words[1]}"
    else:
        assert words[0] in SHELL, f"unknown program {words[0]!r}; output and placeholders belong in a text block"


def check_mention(code: str) -> None:
    """Fail if the text names a file of the repository, or a command of ours or its option, that does not exist."""
    words = code.split()
    if FOLDERS.match(code):
        assert (REPOSITORY / code).exists(), f"{code} does not exist"
    if words[:1] != ["basicsr"] or "|" in code:
        return
    names = list(takewhile(re.compile("[a-z][a-z-]*$").match, words[1:]))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            build_parser().parse_args([*names, "--help"])
        except SystemExit as stop:
            assert not stop.code, f"no command {code}"
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"{re.escape(option)}\b", printed.getvalue()), f"{code}: no option {option}"


def _check_own(arguments: list[str]) -> None:
    try:
        args = build_parser().parse_args(arguments)
    except SystemExit as stop:
        assert not stop.code, f"basicsr {shlex.join(arguments)}: the command does not take this"
        return  # --help, --version
    _check_option_file(args, arguments[0])


def _check_option_file(args: Namespace, command: str) -> None:
    """Forced values fit the file, or a shipped one where the page has a placeholder."""
    file = vars(args).get("opt")
    if command not in ("train", "test", "check", "benchmark"):
        return
    known = file and FOLDERS.match(file)
    if command == "benchmark":
        read_benchmark(str(REPOSITORY / (file if known else "options/benchmark/smoke.yml")), args.force_yml)
        return
    opt = read_options(str(REPOSITORY / (file if known else "options/converse_srresnet.yml")), args.force_yml)
    check_schema(opt, is_train="train" in opt)
    assert not known or command == "check" or ("train" in opt) == (command == "train"), f"{file} is not for {command}"


def _check_torchrun(words: list[str]) -> None:
    from torch.distributed.run import get_args_parser

    get_args_parser().parse_args(words)


def _check_python(words: list[str]) -> None:
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1]), f"no module {words[1]}"
    elif (REPOSITORY / words[0]).is_file():
        source = (REPOSITORY / words[0]).read_text(encoding="utf-8")
        for option in (word for word in words if word.startswith("-")):
            assert f'"{option}"' in source, f"{words[0]} has no option {option}"
    else:
        assert "/" not in words[0], f"no script {words[0]}"


def _check_pip(words: list[str]) -> None:
    setup = (REPOSITORY / "setup.py").read_text(encoding="utf-8")
    for extras in re.findall(r"\[(.+)\]", " ".join(words)):
        for extra in extras.split(","):
            assert f'"{extra}": [' in setup, f"setup.py has no extra {extra}"
