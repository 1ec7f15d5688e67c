"""Runs protocols and writes the results."""

from collections import defaultdict
from pathlib import Path

from tqdm import tqdm

from .. import __version__
from ..errors import UserError
from ..evaluation.figure import save_comparison
from ..evaluation.measure import Row
from ..files.atomic import write_text
from ..inference import CONSISTENCY_LAM
from .measurement import Evaluation, digest
from .missing import describe_missing
from .places import Places
from .protocols import Protocol
from .results import Results, image_table, table


def reproduce(
    protocols: list[Protocol], places: Places, out: Path, limit: int | None = None, val: dict | None = None
) -> str:
    """Measure protocols, or continue an earlier run with the same settings.

    Args:
        protocols: what to measure; a protocol whose files are missing or unusable is reported and skipped.
        places: where the files are.
        out: folder for results.json (saved after every image), results.md and a comparison figure of every image.
        limit: measure only that many images of each set.
        val: tile, tile_overlap, x8, consistency and consistency_lam of RestorationModel.

    Returns:
        The table as Markdown.

    Raises:
        UserError: nothing can be measured.
    """
    evaluations = _build(protocols, places, val or {})
    results = Results(out / "results.json")
    images = [evaluation.images[:limit] for evaluation in evaluations]
    rows = []
    with tqdm(total=sum(map(len, images)), unit="image", desc="reproduce") as progress:
        for evaluation, paths in zip(evaluations, images, strict=True):
            progress.set_postfix_str(evaluation.protocol.name)
            digests = {path.name: digest(path) for path in paths}
            measured = results.of(evaluation.protocol, evaluation.settings, digests)
            left = [index for index, name in enumerate(digests) if name not in measured]
            progress.update(len(paths) - len(left))
            for index, row in zip(left, evaluation.measure(left), strict=True):
                name = paths[index].name
                _save_figure(row, out, evaluation.protocol)
                measured[name] = {**row.restored_metrics, "sha256": digests[name]}
                results.save()
                progress.update()
            rows.append((evaluation.protocol, {name: measured[name] for name in digests}, len(evaluation.images)))
    summary = table(rows)
    tables = "\n\n".join(image_table(protocol, images) for protocol, images, _ in rows)
    title = f"# Measured with converse_basicsr {__version__}\n\n{_describe(val or {})}"
    write_text(out / "results.md", f"{title}\n\n{summary}\n\n{tables}\n")
    return summary


def _build(protocols: list[Protocol], places: Places, val: dict) -> list[Evaluation]:
    """The protocols that can be measured; what is missing or wrong for the others is printed, each thing once."""
    evaluations, refused = [], defaultdict(list)
    missing = {protocol: places.missing(protocol) for protocol in protocols}
    for protocol in protocols:
        if missing[protocol]:
            continue
        try:
            evaluations.append(Evaluation(protocol, places, val))
        except UserError as error:
            refused[str(error)].append(protocol.name)
    for reason, names in refused.items():
        tqdm.write(f"left out: {', '.join(names)}: {reason}")
    if any(missing.values()):
        tqdm.write(describe_missing(missing, places))
    if not evaluations:
        raise UserError("nothing can be measured: get what the lines above name, then run the same command again")
    return evaluations


def _save_figure(row: Row, out: Path, protocol: Protocol) -> None:
    picture = out / protocol.name / f"{row.name}.png"
    save_comparison([row], picture, "bicubic" if protocol.scale > 1 else "input", protocol.network)


def _describe(val: dict) -> str:
    lam = val.get("consistency_lam", CONSISTENCY_LAM)
    ways = [
        f"tiles of {val['tile']} that overlap by {val['tile_overlap']}" if val.get("tile") else "whole images",
        *(["x8 self-ensemble"] if val.get("x8") else []),
        *([f"consistency step ({val['consistency']}, lam {lam:g})"] if "consistency" in val else []),
    ]
    return f"The paper's protocols (docs/reproduce.md), {', '.join(ways)}."
