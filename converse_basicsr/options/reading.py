"""Reading an option file: YAML to plain dicts. Nothing in it is executed."""

import difflib
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from ..errors import UserError, plain
from .forcing import force
from .values import PlainValues

ANCHORS = "x-"  # a top-level key that begins so only holds anchors for aliases and merge keys
LARGEST = 1 << 17  # bytes; the option files here have less than 5000
_NEAR = 0.75  # similarity of two names, of which one may be meant for the other


def read_options(path: str, force_yml: Sequence[str] = ()) -> dict:
    """Read an option file and apply ``--force_yml`` entries (``key:sub=value``).

    Anchors, aliases and merge keys (``<<``) are expanded: no two parts of the result are one object. Top-level keys
    that begin with ``x-`` are left out.

    Raises:
        UserError: the file is not a readable text file, is not YAML, is not a mapping, or is too large or too deep; a
            key is repeated, or a value is read as something that no option is (with the line); or an entry of
            force_yml does not fit.
    """
    options = read_mapping(path)
    for entry in force_yml:
        force(options, entry)
    expand_home(options)
    return options


def read_mapping(path: str) -> dict:
    """The content of an option file as it is written."""
    name = plain(path)
    text = _read_text(path, name)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UserError(f"{name}, line {mark.line + 1}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise UserError(f"{name}: nested too deeply for an option file") from error
    if not isinstance(node, yaml.MappingNode):
        raise UserError(f"{name}: an option file must be a mapping (key: value)")
    options = PlainValues(name).of(node)
    return {key: value for key, value in options.items() if not key.startswith(ANCHORS)}


def expand_home(options: dict) -> None:
    """Expand ~ to the home folder in the paths where BasicSR does."""
    datasets, paths = options.get("datasets"), options.get("path")
    for section in datasets.values() if isinstance(datasets, dict) else ():
        if isinstance(section, dict):
            _expand(section, [key for key in ("dataroot_gt", "dataroot_lq") if key in section])
    if isinstance(paths, dict):
        _expand(paths, [key for key in paths if "pretrain_network" in key or "resume_state" in key])


def _expand(section: dict, keys: list[str]) -> None:
    for key in keys:
        if isinstance(section[key], str):
            section[key] = os.path.expanduser(section[key])


def _read_text(path: str, name: str) -> str:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise UserError(f"{name} is a folder, not an option file{_files_in(Path(path))}")
        if not stat.S_ISREG(mode):
            raise UserError(f"{name} is not a regular file; an option file is a text file")
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise UserError(f"no such option file: {name}{_nearby(path)}") from error
    except OSError as error:
        raise UserError(f"cannot read the option file {name}: {error.strerror}") from error
    except UserError:
        raise
    except ValueError as error:  # a NUL in the path
        raise UserError(f"no such option file: {name}") from error
    if len(content) > LARGEST:
        raise UserError(f"{name}: larger than {LARGEST >> 10} KiB, which no option file is")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: not valid UTF-8 text (byte {error.start})") from error


def _nearby(path: str) -> str:
    """What the user may have meant: a file beside this path, else a shipped file, that has nearly the same name."""
    from .shipped import names

    folder, stem = Path(path).parent, Path(path).stem
    beside = {file.stem: file for file in _option_files(folder)}
    if near := _near(stem, beside):
        return f"; did you mean {plain(beside[near])}?"
    shipped = {name.rpartition("/")[2]: name for name in reversed(names())}  # not paper/NAME if there is NAME
    if near := _near(stem, shipped):
        named = f"{folder.name}/{stem}"
        name = named if named in names() else shipped[near]
        return f"; basicsr options copy {name} makes options/{name}.yml"
    return _files_in(folder) or "; basicsr options list shows the shipped files"


def _near(name: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)), None)


def _files_in(folder: Path) -> str:
    names = [file.name for file in _option_files(folder)]
    return f" (in {plain(folder)}: {', '.join(names)})" if names else ""


def _option_files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.yml"))
    except OSError:
        return []
