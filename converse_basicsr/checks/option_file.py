"""Reading an option file: YAML, --force_yml values, and mistakes that YAML accepts silently."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from ..errors import UserError

# YAML 1.1 reads these as strings: no dot before the exponent, or no sign in the exponent
_TEXT_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def read_options(path: str, force_yml: Sequence[str] = (), merge_keys: bool = False) -> dict:
    """Read an option file and apply ``--force_yml`` entries (``key:sub=value``).

    Args:
        merge_keys: allow YAML's ``<<``, which BasicSR's own reader does not know.

    Raises:
        UserError: the file is missing, is not YAML or not a mapping; a key is repeated or a number is read as a
            string (with the line); or an entry of force_yml does not fit.
    """
    if not Path(path).is_file():
        raise UserError(f"no such option file: {path}{_nearby(path)}")
    try:
        text = Path(path).read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        options = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UserError(f"{path}, line {mark.line + 1}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(options, dict):
        raise UserError(f"{path}: an option file must be a mapping (key: value)")
    for line, message in _mistakes(node, (), merge_keys):
        raise UserError(f"{path}, line {line}: {message}")
    for entry in force_yml:
        force(options, entry)
    expand_home(options)
    return options


def expand_home(options: dict) -> None:
    """Expand ~ to the home folder in the paths where BasicSR does."""
    for section in _mappings(options.get("datasets")):
        _expand(section, [key for key in ("dataroot_gt", "dataroot_lq") if key in section])
    for section in _mappings([options.get("path")]):
        _expand(section, [key for key in section if "pretrain_network" in key or "resume_state" in key])


def _mappings(sections: object) -> list[dict]:
    values = sections.values() if isinstance(sections, dict) else sections if isinstance(sections, list) else []
    return [value for value in values if isinstance(value, dict)]


def _expand(section: dict, keys: list[str]) -> None:
    for key in keys:
        if isinstance(section[key], str):
            section[key] = os.path.expanduser(section[key])


def _nearby(path: str) -> str:
    folder = Path(path).parent
    files = sorted(folder.glob("*.yml")) if folder.is_dir() else []
    return f" (in {folder}: {', '.join(file.name for file in files)})" if files else ""


def _mistakes(node: yaml.Node, keys: tuple[str, ...], merge_keys: bool) -> Iterator[tuple[int, str]]:
    """(line, message) of every repeated key and every number that YAML reads as a string."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if not (key.tag.endswith(":str") or (merge_keys and key.tag.endswith(":merge"))):
                yield key.start_mark.line + 1, f"YAML does not read the key {key.value} as a string; put it in quotes"
            if key.value in seen:
                yield key.start_mark.line + 1, f"{':'.join((*keys, key.value))} is given twice"
            seen.add(key.value)
            yield from _mistakes(value, (*keys, key.value), merge_keys)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mistakes(value, keys, merge_keys)
    elif node.tag.endswith(":str") and node.style is None and _TEXT_NUMBER.fullmatch(node.value):
        yield (
            node.start_mark.line + 1,
            f"{':'.join(keys)}: YAML reads {node.value} as a string; write !!float {node.value}",
        )


def force(options: dict, entry: str) -> None:
    """Apply one ``key:sub=value`` as BasicSR does; the section must exist."""
    from basicsr.utils.options import _postprocess_yml_value

    keys, separator, value = entry.partition("=")
    *branch, leaf = keys.strip().split(":")
    if not separator or not leaf or "=" in value:
        raise UserError(f"--force_yml {entry}: must be key:sub=value")
    target = options
    for depth, key in enumerate(branch, start=1):
        target = target.get(key)
        if not isinstance(target, dict):
            raise UserError(f"--force_yml {entry}: the option file has no section {':'.join(branch[:depth])}")
    value = value.strip()
    try:
        target[leaf] = _postprocess_yml_value(value)
    except Exception as error:  # BasicSR evaluates a list as Python
        raise UserError(f"--force_yml {entry}: {value} is not a valid value") from error
    if isinstance(target[leaf], str) and _is_number(value):
        raise UserError(f"--force_yml {entry}: BasicSR would read {value} as a string; write {leaf}=!!float{value}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
