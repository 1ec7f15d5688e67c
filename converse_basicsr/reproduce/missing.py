"""What is missing for the protocols, in words: each file or folder once."""

import shlex
from pathlib import Path

from ..errors import plain
from .places import Missing, Places
from .protocols import Protocol


def describe_missing(missing: dict[Protocol, list[Missing]], places: Places) -> str:
    """Lines that say what is missing, what it is for, where it comes from, and what to do next.

    Args:
        missing: what is missing for each protocol, maybe nothing.
        places: where it was searched for.
    """
    tasks: dict[tuple[str, str | None], list[str]] = {}  # by name and source
    for protocol, absent in missing.items():
        for each in absent:
            tasks.setdefault((each.name, each.source), []).append(protocol.task)
    rows = [(name, ", ".join(dict.fromkeys(of)), source) for (name, source), of in tasks.items()]
    weights = [row for row in rows if row[2] is None]
    data = [row for row in rows if row[2] is not None]
    lines = [f"left out: {sum(map(bool, missing.values()))} of {len(missing)} protocols, whose files are missing"]
    if weights:
        names = " ".join(name.removesuffix(".pth") for name, *_ in weights)
        folder = f" --dir {shlex.quote(str(places.weights))}" if places.weights else ""
        lines += [f"weights, not in {_joined(places.weights_folders)}:", *_table(weights)]
        lines += [f"  next: basicsr weights get {names}{folder}"]
    if data:
        lines += [f"test sets and blur kernels, not in {_joined(places.data)} (--data names another folder):"]
        lines += [*_table(data), f"  next: copy these folders into {plain(places.data[0])}"]
    return "\n".join(lines)


def _table(rows: list[tuple[str, str, str | None]]) -> list[str]:
    names, tasks = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"  {name:<{names}}  {task:<{tasks}}  {source or ''}".rstrip() for name, task, source in rows]


def _joined(folders: tuple[Path, ...]) -> str:
    return ", ".join(map(plain, folders))
