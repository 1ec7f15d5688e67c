"""results.md and report.html, from jinja2 templates."""

import base64
import io
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from ...evaluation.figure import to_pil
from ...files.atomic import write_text
from .comparisons import AMPLIFY, Comparison, View
from .plots import CURVES, colour
from .ranking import Ranking
from .tables import tables_of, verdict

MAX_SIDE = 560  # of a whole image, in pixels
MAX_MODELS = 5  # whole images of the best models only, so that the page stays at a few MB


def write_pages(ranking: Ranking, plots: list[Path], comparisons: list[Comparison], figures: list[Path]) -> list[Path]:
    """Write results.md, which links the PNG files, and report.html, which contains all pictures.

    Args:
        ranking: of results.json.
        plots: PNG files of save_plots.
        comparisons: of restored images.
        figures: PNG files of the comparisons.
    """
    content = {
        "benchmark": ranking.benchmark,
        "verdict": verdict(ranking),
        "tables": tables_of(ranking),
        "charts": {
            "Training": [path for path in plots if path.stem in CURVES],
            "Cost": [path for path in plots if path.stem not in CURVES],
        },
        "comparisons": comparisons,
        "pictures": [path.relative_to(ranking.folder).as_posix() for path in (*plots, *figures)],
        "amplify": AMPLIFY,
    }
    loader = PackageLoader(__package__)
    templates = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    templates.filters.update(colour=colour, cell=_cell, slider=_slider, file=_file_uri, png=_png_uri, jpeg=_jpeg_uri)
    files = [ranking.folder / name for name in ("results.md", "report.html")]
    for file in files:
        write_text(file, templates.get_template(file.name).render(content))
    return files


def _cell(text: str) -> str:
    """Text for one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", r"\|")


def _slider(views: list[View]) -> list[View]:
    """The views that can be chosen for the whole image."""
    models = [view for view in views if view.model][:MAX_MODELS]
    return [view for view in views if not view.model or view in models]


def _file_uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _png_uri(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _jpeg_uri(view: View) -> str:
    """The whole image, reduced."""
    image, stream = to_pil(view.image), io.BytesIO()
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    image.save(stream, "jpeg", quality=85, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
