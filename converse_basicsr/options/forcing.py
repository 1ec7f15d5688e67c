"""``--force_yml``: values of the command line in place of those of an option file."""

import re

import yaml

from ..errors import UserError, did_you_mean, plain
from .values import PlainValues


def force(options: dict, entry: str) -> None:
    """Apply one ``key:sub=value`` to the options; the sections above the last key must exist.

    The value is YAML. 1e-4, !!float1e-4 and none are read as in BasicSR.

    Raises:
        UserError: the entry has no key or no value, its section is missing, or the value is not YAML.
    """
    where = f"--force_yml {plain(entry)}"
    keys, separator, value = entry.partition("=")
    *branch, leaf = (key.strip() for key in keys.split(":"))
    if not separator or not leaf:
        raise UserError(f"{where}: must be key:sub=value")
    target = options
    for depth, key in enumerate(branch, start=1):
        section = target.get(key)
        if not isinstance(section, dict):
            near = did_you_mean(key, [name for name, value in target.items() if isinstance(value, dict)])
            raise UserError(f"{where}: the option file has no section {plain(':'.join(branch[:depth]))}{near}")
        target = section
    target[leaf] = _parse(value.strip(), where)


def _parse(text: str, where: str) -> object:
    if not text:
        raise UserError(f"{where}: the value is missing; write ~ for none")
    try:
        node = yaml.compose(re.sub(r"!!float(?=[-+.\d])", "!!float ", text), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{where}: {plain(text)} is not a valid value (YAML); a string can be put in quotes") from error
    if node is None:
        raise UserError(f"{where}: the value is missing; write ~ for none")
    return PlainValues(where, lenient=True).of(node)
