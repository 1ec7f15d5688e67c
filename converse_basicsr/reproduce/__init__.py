"""The paper's numbers again, from its published weights."""

from pathlib import Path

from tqdm import tqdm

from .. import __version__
from ..errors import UserError
from ..panel import draw_panel
from ..report import Row
from .evaluation import Evaluation
from .places import Places, find_places
from .protocols import PROTOCOLS, SETS, TASKS, Protocol
from .results import Results, image_table, table

__all__ = ["PROTOCOLS", "TASKS", "Protocol", "choose", "find_places", "reproduce"]


def reproduce(
    protocols: list[Protocol], places: Places, out: Path, limit: int | None = None, val: dict | None = None
) -> str:
    """Measure protocols, or go on where an earlier run of the same settings stopped.

    Args:
        protocols: what to measure; those whose files are absent are named and passed over.
        places: where the files are.
        out: folder for results.json (kept after every image), results.md and a comparison picture of every image.
        limit: measure only the first images of each set.
        val: how to evaluate: tile, tile_overlap, x8 of RestorationModel.

    Returns:
        The table, Markdown.

    Raises:
        UserError: nothing can be measured.
    """
    present = []
    for protocol in protocols:
        missing = places.missing(protocol)
        if missing is None:
            present.append(protocol)
        else:
            tqdm.write(f"left out: {protocol.name}: {missing}")
    if not present:
        raise UserError("nothing can be measured: see the lines above for what is missing and where to get it")
    evaluations = [Evaluation(protocol, places, val or {}) for protocol in present]
    results = Results(out / "results.json")
    counts = [min(limit or len(evaluation.names), len(evaluation.names)) for evaluation in evaluations]
    rows = []
    with tqdm(total=sum(counts), unit="image", desc="reproduce") as progress:
        for evaluation, count in zip(evaluations, counts, strict=True):
            progress.set_postfix_str(evaluation.protocol.name)
            measured = results.of(evaluation.protocol, evaluation.settings)
            names = evaluation.names[:count]
            left = [index for index, name in enumerate(names) if name not in measured]
            progress.update(count - len(left))
            for index, row in zip(left, evaluation.measure(left), strict=True):
                _draw(row, out, evaluation.protocol)
                measured[names[index]] = row.restored_metrics
                results.save()
                progress.update()
            rows.append((evaluation.protocol, {name: measured[name] for name in names}, len(evaluation.names)))
    summary = table(rows)
    tables = "\n\n".join(image_table(protocol, images) for protocol, images, _ in rows)
    title = f"# Measured with converse_basicsr {__version__}\n\n{_in_words(val or {})}"
    (out / "results.md").write_text(f"{title}\n\n{summary}\n\n{tables}\n")
    return summary


def choose(tasks: list[str], sets: list[str] | None) -> list[Protocol]:
    """The protocols of those tasks and test sets; none named means all.

    Raises:
        UserError: a task or set is not known, or no protocol has both.
    """
    for kind, named, known in (("task", tasks, TASKS), ("set", sets or [], SETS)):
        for name in named:
            if name.lower() not in known:
                raise UserError(f"no {kind} {name!r}; there are {', '.join(known)}")
    chosen = [
        protocol
        for protocol in PROTOCOLS
        if (not tasks or protocol.task in tasks) and (not sets or protocol.test_set in map(str.lower, sets))
    ]
    if not chosen:
        raise UserError(f"{', '.join(tasks)} has no protocol on {', '.join(sets or [])}")
    return chosen


def _draw(row: Row, out: Path, protocol: Protocol) -> None:
    picture = out / protocol.name / f"{row.name}.png"
    draw_panel([row], picture, "bicubic" if protocol.scale > 1 else "input", protocol.network)


def _in_words(val: dict) -> str:
    ways = [
        f"tiles of {val['tile']} that overlap by {val['tile_overlap']}" if val.get("tile") else "whole images",
        *(["x8 self-ensemble"] if val.get("x8") else []),
    ]
    return f"The paper's protocols (docs/reproduce.md), {', '.join(ways)}."
