"""Comparisons of restored images: a crop of each model, and its error."""

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from PIL import Image

from ...evaluation import figure
from .plots import STYLE
from .ranking import RankedModel, Ranking

MAX_IMAGES = 4  # more if there are more sets
CROP = 80  # side of the crop, in pixels of the ground truth
AMPLIFY = 4  # factor of the brightness of errors


@dataclass(frozen=True)
class View:
    """One version of an image: input, baseline, restored by a model, or ground truth."""

    title: str
    detail: str  # its metric; empty for input and ground truth
    model: RankedModel | None
    image: np.ndarray  # uint8, (H, W, 3), BGR


@dataclass(frozen=True)
class Comparison:
    """Views of one image, from input to ground truth, and the window (top, left, side) of the crops."""

    dataset: str
    name: str
    views: list[View]
    window: tuple[int, int, int]

    @property
    def truth(self) -> np.ndarray:
        return self.views[-1].image

    def crop(self, view: View) -> Image.Image:
        return figure.crop(view.image, self.window, self.truth.shape[0])

    def error(self, view: View) -> Image.Image:
        """|view - ground truth| in the window, mean over colours, AMPLIFY times as bright; black means equal."""
        error = AMPLIFY * np.abs(view.image.astype(np.float32) - self.truth).mean(-1)
        return figure.crop(error.clip(0, 255).round().astype(np.uint8), self.window, error.shape[0])


def find_comparisons(ranking: Ranking) -> list[Comparison]:
    """About MAX_IMAGES images, the first ones of each set, if their files are still in the folder."""
    sets = ranking.scored[0].finished[0]["images"] if ranking.scored else {}
    chosen = [(dataset, name) for dataset in sets for name in list(sets[dataset])[: -(-MAX_IMAGES // len(sets))]]
    return [found for dataset, name in chosen if (found := _comparison(ranking, dataset, name))]


def _comparison(ranking: Ranking, dataset: str, name: str) -> Comparison | None:
    metric, baseline = ranking.measures[0], ranking.benchmark["baseline"]

    def view(title: str, path: str, metrics: dict | None = None, model: RankedModel | None = None) -> View:
        detail = f"{metric.metric.upper()} {metrics[metric.metric]:.{metric.digits}f}" if metrics else ""
        return View(title, detail, model, cv2.imread(str(ranking.folder / path), cv2.IMREAD_COLOR))

    files = f"images/{dataset}/{name}_"
    views = [view("input", f"{files}lq.png")]
    if baseline["name"] != "input":
        views.append(view(baseline["name"], f"{files}baseline.png", baseline["sets"][dataset]["images"][name]))
    for model in ranking.scored:
        run = model.finished[0]
        views.append(view(model.name, run["images"][dataset][name], run["final"][dataset]["images"][name], model))
    views.append(view("ground truth", f"{files}gt.png"))
    if any(one.image is None for one in views):
        return None
    truth = views[-1].image
    side = min(CROP, *truth.shape[:2])
    variance = np.stack([one.image for one in views if one.model]).astype(np.float32).var(0).mean(-1)
    interest = variance if variance.any() else figure.edges(truth)  # where the models differ, or else edges
    return Comparison(dataset, name, views, (*figure.strongest_window(interest, side), side))


def save_figure(comparison: Comparison, folder: Path) -> Path:
    """Write the whole image, its crops, and the errors below them, as a PNG in the folder."""
    name = re.sub(r"[^\w.-]+", "_", f"comparison_{comparison.dataset}_{comparison.name}.png")
    columns = len(comparison.views)
    with style.context(STYLE):
        plot = Figure((2 * columns + 4, 4.6), dpi=110, layout="constrained")
        grid = plot.add_gridspec(2, columns + 2)
        tiles = [(grid[:, :2], figure.outline(comparison.truth, comparison.window), comparison.name)]
        for column, view in enumerate(comparison.views, start=2):
            tiles.append((grid[0, column], comparison.crop(view), f"{view.title}\n{view.detail}"))
            if view.detail:
                tiles.append((grid[1, column], comparison.error(view), f"error x {AMPLIFY}"))
        for place, image, title in tiles:
            axes = plot.add_subplot(place)
            axes.imshow(image, interpolation="nearest")
            axes.set_title(title, fontsize=9, wrap=True)
            axes.axis("off")
        plot.savefig(folder / name)
    return folder / name
