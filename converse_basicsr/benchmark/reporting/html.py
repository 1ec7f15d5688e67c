"""report.html: one page that needs nothing else."""

import base64
import io
import json
from html import escape
from pathlib import Path
from string import Template

from PIL import Image

from ...evaluation import figure
from . import wording
from .notes import facts, legend, unfinished_lines
from .panels import AMPLIFY, Comparison, View
from .pictures import COSTS, CURVES, colour
from .standings import Standings
from .summary import Summary
from .tables import Table, change_table, main_table

TEMPLATE = Path(__file__).with_name("report.html")
MOST_SIDE = 560  # of a whole image, in pixels
MOST_ENTRANTS = 5  # whole images of the best ones: what keeps the page at a few MB
QUALITY = 85  # of JPEG


def report_page(
    standings: Standings, summary: Summary, pictures: dict[str, Path], comparisons: list[Comparison]
) -> str:
    """The whole page: every string escaped, pictures as data URIs.

    Args:
        standings: of results.json.
        summary: of the same.
        pictures: PNG files by name, as draw_pictures returns them.
        comparisons: restored images.
    """
    parts = {
        "Summary": _summary(summary),
        "Table": _tables(standings),
        "Training": _charts(standings, pictures, CURVES, "over"),
        "Cost": _charts(standings, pictures, COSTS, "against"),
        "Images": _images(comparisons),
        "How it was measured": _measured(standings),
        "To keep in mind": _list(summary.caveats),
    }
    parts = {title: content for title, content in parts.items() if content}
    anchors = {title: title.lower().replace(" ", "-") for title in parts}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(standings.benchmark["name"]),
        subtitle=escape(_subtitle(standings)),
        navigation=" ".join(f'<a href="#{anchor}">{title}</a>' for title, anchor in anchors.items()),
        sections="\n".join(
            f'<section id="{anchors[title]}"><h2>{title}</h2>\n{content}</section>' for title, content in parts.items()
        ),
    )


def _subtitle(standings: Standings) -> str:
    known = facts(standings)
    parts = [f"{len(standings.entrants)} networks, one recipe, {known['budget of each run']} each"]
    parts += [known[key] for key in ("hardware", "date") if key in known]
    return " · ".join(parts)


def _summary(summary: Summary) -> str:
    prices = "".join(
        f"<div><dt>{escape(ratio.name)}</dt><dd>{ratio.value:.2f} times<small>{escape(ratio.detail)}</small></dd></div>"
        for ratio in summary.ratios
    )
    return (
        f'<div class="card verdict {summary.verdict}"><p>{escape(summary.headline)}</p>{_list(summary.sentences)}'
        f"{_tag('p', '', escape(summary.price))}{_tag('dl', 'prices', prices)}</div>"
    )


def _tables(standings: Standings) -> str:
    parts = [
        _table(main_table(standings)),
        f'<p class="soft">{escape(legend(standings))} A click on a title sorts.</p>',
    ]
    if standings.unfinished:
        parts.append(f"<h3>Runs that did not finish</h3>{_list(unfinished_lines(standings))}")
    if len(standings.measures) > 1 and standings.scored:
        changes = _table(change_table(standings))
        parts.append(f"<details><summary>Changes in every metric</summary>{changes}</details>")
    return "".join(parts)


def _table(table: Table) -> str:
    titles = "".join(f'<th scope="col"><button type="button">{escape(title)}</button></th>' for title in table.columns)
    rows = []
    for row in table.rows:
        kind = ' class="baseline"' if row.place is None else ""
        cells = "".join(
            f"<td{'' if cell.number is None else f' data-number={json.dumps(cell.number)}'}>{escape(cell.text)}</td>"
            for cell in row.cells
        )
        rows.append(f'<tr{kind}><th scope="row">{_dot(row.place)}{escape(row.name)}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">entrant</th>{titles}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _charts(standings: Standings, pictures: dict[str, Path], names: dict, word: str) -> str:
    figures = ""
    for name in names:
        if name in pictures:
            alt = f"{wording.label(standings, standings.first)} {word} {name}"
            data = _data_uri(pictures[name].read_bytes(), "png")
            figures += f'<figure><img src="{data}" alt="{escape(alt)}"></figure>'
    if not figures:
        return ""
    notes = {
        "over": "Lines are means over seeds, bands one standard deviation; the dashed line is the baseline.",
        "against": "Up is better, left is cheaper; bars are one standard deviation, the dashed line is the baseline.",
    }
    return f'<p class="soft">{notes[word]}</p><div class="charts">{figures}</div>'


def _images(comparisons: list[Comparison]) -> str:
    notes = (
        "Drag over the whole image to compare two versions. The details are where the networks differ most; under each "
        f"is its error, |image - ground truth|, {AMPLIFY} times as bright."
    )
    figures = "".join(map(_comparison, comparisons))
    return figures and _tag("p", "soft", escape(notes)) + figures


def _comparison(comparison: Comparison) -> str:
    tiles = ""
    for view in comparison.views:
        images = _image(comparison.crop(view), view.title, "png")
        if view.has_error:
            images += _image(comparison.error(view), f"error of {view.title}", "png")
        name = f"{_dot(view.entrant.place if view.entrant else None)}{escape(view.title)}"
        tiles += f"<figure>{images}<figcaption><b>{name}</b>{escape(view.detail)}</figcaption></figure>"
    return (
        f"<h3>{escape(comparison.name)} ({escape(comparison.dataset)})</h3>"
        f'<div class="comparison">{_slider(comparison)}<div class="views">{tiles}</div></div>'
    )


def _slider(comparison: Comparison) -> str:
    """Two versions of the whole image, the boundary between them to be dragged."""
    views = _for_slider(comparison.views)
    first = next(number for number, view in enumerate(views) if view.entrant)  # the best entrant
    before = max(first - 1, 0)
    images = ""
    for number, view in enumerate(views):
        sides = " ".join(side for side, chosen in (("left", before), ("right", first)) if number == chosen)
        images += _image(_reduced(view), view.title, "jpeg", f' class="{sides}"' if sides else "")
    selects = ""
    for side, chosen in (("left", before), ("right", first)):
        options = "".join(
            f"<option{' selected' if number == chosen else ''}>{escape(f'{view.title} {view.detail}'.strip())}</option>"
            for number, view in enumerate(views)
        )
        selects += f'<select name="{side}" aria-label="{side} side" autocomplete="off">{options}</select>'
    height, width = comparison.truth.shape[:2]
    return (
        f'<div class="slider"><div class="stage" style="aspect-ratio: {width} / {height}">{images}'
        '<input type="range" min="0" max="100" value="50" step="0.5" aria-label="boundary" autocomplete="off"></div>'
        f'<div class="choice">{selects}</div></div>'
    )


def _for_slider(views: list[View]) -> list[View]:
    entrants = [view for view in views if view.entrant][:MOST_ENTRANTS]
    return [view for view in views if view.entrant is None or view in entrants]


def _reduced(view: View) -> Image.Image:
    image = figure.to_pil(view.image)
    image.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.LANCZOS)
    return image


def _measured(standings: Standings) -> str:
    pairs = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts(standings).items())
    return f'<dl class="facts card">{pairs}</dl>'


def _list(lines: list[str]) -> str:
    return _tag("ul", "", "".join(f"<li>{escape(line)}</li>" for line in lines))


def _tag(name: str, kind: str, content: str) -> str:
    """An element, or nothing for no content."""
    kind = f' class="{kind}"' if kind else ""
    return f"<{name}{kind}>{content}</{name}>" if content else ""


def _dot(place: int | None) -> str:
    return "" if place is None else f'<span class="dot" style="background:{colour(place)}"></span>'


def _image(image: Image.Image, alt: str, kind: str, attributes: str = "") -> str:
    stream = io.BytesIO()
    image.save(stream, kind, **({"quality": QUALITY, "subsampling": 0} if kind == "jpeg" else {"optimize": True}))
    return f'<img src="{_data_uri(stream.getvalue(), kind)}" alt="{escape(alt)}"{attributes}>'


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
