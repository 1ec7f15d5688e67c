"""The report of a benchmark: results.md, report.html and pictures beside its results.json."""

from pathlib import Path

from ...errors import UserError


def write_report(folder: Path) -> list[Path]:
    """Write the report of folder/results.json, at any stage of the trainings.

    Args:
        folder: holds results.json, the restored images that it names, and images/SET/NAME_gt.png, NAME_lq.png and
            NAME_baseline.png for the comparisons.

    Returns:
        The written files: results.md, report.html, and the PNG pictures.

    Raises:
        UserError: results.json is missing or broken, or a package for the report is not installed.
    """
    try:
        from .comparisons import find_comparisons, save_figure
        from .pages import write_pages
        from .plots import save_plots
        from .ranking import read_ranking
    except ImportError as error:
        raise UserError(f"the report needs a package: pip install 'converse_basicsr[benchmark]' ({error})") from error
    ranking = read_ranking(folder)
    plots = save_plots(ranking, folder / "pictures")
    comparisons = find_comparisons(ranking)
    figures = [save_figure(comparison, folder / "pictures") for comparison in comparisons]
    return [*write_pages(ranking, plots, comparisons, figures), *plots, *figures]
