"""The report of a benchmark: results.md, pictures/ and report.html beside its results.json."""

from pathlib import Path

from ...files.atomic import write_text
from .html import report_page
from .markdown import results_markdown
from .panels import draw_comparison, find_comparisons
from .pictures import draw_pictures
from .standings import read_standings
from .summary import summarise


def write_report(folder: Path) -> list[Path]:
    """Write the report of folder/results.json; at any time, and again: what is not measured yet is named as missing.

    Args:
        folder: holds results.json and, for the comparisons, the restored images that it names and
            images/SET/NAME_gt.png, NAME_lq.png and NAME_baseline.png.

    Returns:
        The files: results.md, report.html, and the pictures that there was something to show for.

    Raises:
        UserError: results.json is absent or broken, or matplotlib is not installed.
    """
    standings = read_standings(folder)
    summary = summarise(standings)
    pictures = draw_pictures(standings, standings.folder / "pictures")
    comparisons = find_comparisons(standings)
    panels = [draw_comparison(comparison, standings.folder / "pictures") for comparison in comparisons]
    pages = {
        "results.md": results_markdown(standings, summary, [*pictures.values(), *panels]),
        "report.html": report_page(standings, summary, pictures, comparisons),
    }
    for name, text in pages.items():
        write_text(standings.folder / name, text)
    return [*(standings.folder / name for name in pages), *pictures.values(), *panels]
