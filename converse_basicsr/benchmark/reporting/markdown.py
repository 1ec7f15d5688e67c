"""results.md."""

import html
from pathlib import Path

from .notes import facts, legend, unfinished_lines
from .standings import Standings
from .summary import Summary
from .tables import Table, change_table, main_table


def results_markdown(standings: Standings, summary: Summary, pictures: list[Path]) -> str:
    """The whole page.

    Args:
        standings: of results.json.
        summary: of the same.
        pictures: files below the folder of results.json.
    """
    parts = [
        f"# {_plain(standings.benchmark['name'])}",
        f"**{_plain(summary.headline)}**",
        _plain_list(summary.sentences),
        _plain(summary.price),
        _plain_list([f"{ratio.name}: {ratio.value:.2f} times ({ratio.detail})" for ratio in summary.ratios]),
        _table(main_table(standings)),
        _plain(legend(standings)),
    ]
    if len(standings.measures) > 1 and standings.scored:
        parts += ["## Changes", _table(change_table(standings))]
    if standings.unfinished:
        parts += ["## Runs that did not finish", _plain_list(unfinished_lines(standings))]
    if pictures:
        parts += ["## Pictures", "\n\n".join(f"![{path.stem}]({_link(path, standings)})" for path in pictures)]
    parts += ["## How it was measured", _plain_list([f"{key}: {value}" for key, value in facts(standings).items()])]
    parts += ["## To keep in mind", _plain_list(summary.caveats)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(table: Table) -> str:
    lines = [_line(["entrant", *table.columns]), "|---" * (len(table.columns) + 1) + "|"]
    lines += [_line([row.name, *(cell.text for cell in row.cells)]) for row in table.rows]
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(_plain(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _plain_list(lines: list[str]) -> str:
    return "\n".join(f"- {_plain(line)}" for line in lines)


def _plain(text: str) -> str:
    """Text on one line that Markdown does not take for HTML."""
    return html.escape(" ".join(text.split()), quote=False)


def _link(path: Path, standings: Standings) -> str:
    return path.relative_to(standings.folder).as_posix()
