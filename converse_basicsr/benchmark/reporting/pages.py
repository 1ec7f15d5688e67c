"""The report of a benchmark: results.md and report.html, from jinja2 templates, and their pictures."""

import base64
import io
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from ...evaluation.figure import to_pil
from ...files.atomic import write_text
from .comparisons import AMPLIFY, View, find_comparisons, save_figure
from .plots import COSTS, CURVES, colour, save_plots
from .ranking import read_ranking
from .tables import tables_of

MAX_SIDE = 560  # of a whole image, in pixels
MAX_MODELS = 5  # whole images of the best models only, so that the page stays at a few MB


def write_report(folder: Path) -> list[Path]:
    """Write results.md, report.html and PNG pictures beside folder/results.json, at any stage; return the files.

    Raises:
        UserError: results.json is missing or broken.
    """
    ranking = read_ranking(folder)
    plots = save_plots(ranking, folder / "pictures")
    comparisons = find_comparisons(ranking)
    pictures = [*plots, *(save_figure(comparison, folder / "pictures") for comparison in comparisons)]
    content = {
        "benchmark": ranking.benchmark,
        "verdict": ranking.verdict,
        "tables": tables_of(ranking),
        "charts": {
            "Training": [path for path in plots if path.stem in CURVES],
            "Cost": [path for path in plots if path.stem in COSTS],
        },
        "comparisons": comparisons,
        "amplify": AMPLIFY,
        "pictures": [path.relative_to(folder).as_posix() for path in pictures],
    }
    options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    templates = Environment(loader=PackageLoader(__package__), **options)
    templates.filters.update(colour=colour, cell=_cell, slider=_slider, whole=_whole, uri=_data_uri)
    pages = [folder / "results.md", folder / "report.html"]
    for page in pages:
        write_text(page, templates.get_template(page.name).render(content))
    return pages + pictures


def _cell(text: str) -> str:
    """Text for one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", r"\|")


def _slider(views: list[View]) -> list[View]:
    """The views that can be chosen for the whole image."""
    models = [view for view in views if view.model][:MAX_MODELS]
    return [view for view in views if not view.model or view in models]


def _whole(view: View) -> Image.Image:
    image = to_pil(view.image)
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return image


def _data_uri(image: Image.Image | Path, kind: str = "png") -> str:
    if isinstance(image, Path):
        content = image.read_bytes()
    else:
        stream = io.BytesIO()
        image.save(stream, kind, quality=85)  # for JPEG
        content = stream.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
