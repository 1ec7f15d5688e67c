"""Comparisons of restored images: a crop of each entrant, and its error."""

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ...evaluation import figure
from . import wording
from .standings import Standing, Standings, image_value

MOST_IMAGES = 4
CROP = 80  # side of the crop, in pixels of the ground truth
ZOOM = 3
AMPLIFY = 4  # errors are shown this many times as bright


@dataclass(frozen=True)
class View:
    """One version of an image; entrant: None for input, baseline and ground truth."""

    title: str
    detail: str  # its metric, or nothing
    entrant: Standing | None
    image: np.ndarray  # uint8, (H, W, 3), BGR
    has_error: bool  # whether it is one to compare with the ground truth


@dataclass(frozen=True)
class Comparison:
    """Views of one image, from input to ground truth, and the window (top, left, side) to look at."""

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
        """The window of |view - ground truth|, mean over colours, AMPLIFY times as bright, black where equal."""
        error = np.abs(view.image.astype(np.float32) - self.truth).mean(-1)
        error = (AMPLIFY * error).clip(0, 255).round().astype(np.uint8)
        return figure.crop(error, self.window, error.shape[0])


def find_comparisons(standings: Standings) -> list[Comparison]:
    """Up to MOST_IMAGES images, of all sets in turn, that have a ground truth and were restored at least once."""
    by_set = [[(dataset, name) for name in _names(standings, dataset)] for dataset in standings.benchmark["sets"]]
    turns = [pair for number in range(MOST_IMAGES) for pairs in by_set for pair in pairs[number : number + 1]]
    found = (_comparison(standings, dataset, name) for dataset, name in turns)
    return [comparison for comparison in found if comparison][:MOST_IMAGES]


def draw_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write the whole image beside its crops, and the errors below them, as a PNG in the folder."""
    side = comparison.window[2] * ZOOM
    crops, errors = [], []
    for view in comparison.views:
        crops.append((f"{view.detail}  {view.title}".strip(), _enlarged(comparison.crop(view), side)))
        blank = ("", Image.new("RGB", (side, side), "white"))
        error = (f"error x {AMPLIFY}", _enlarged(comparison.error(view), side)) if view.has_error else blank
        errors.append(error)
    details = figure.stack([figure.line_of_tiles(crops), figure.line_of_tiles(errors)])
    height = details.height - figure.LABEL - figure.GAP
    whole = figure.outline(comparison.truth, comparison.window)
    whole = whole.resize((round(whole.width * height / whole.height), height), Image.Resampling.LANCZOS)
    picture = figure.beside([figure.line_of_tiles([(comparison.name, whole)]), details])
    path = folder / f"comparison_{_file_name(comparison.dataset)}_{_file_name(comparison.name)}.png"
    figure.save_picture(picture, path)
    return path


def _comparison(standings: Standings, dataset: str, name: str) -> Comparison | None:
    files = {kind: standings.folder / "images" / dataset / f"{name}_{kind}.png" for kind in ("lq", "baseline", "gt")}
    images = {kind: image for kind, file in files.items() if (image := _read(file)) is not None}
    if "gt" not in images:
        return None
    restored = [view for entrant in standings.ranked if (view := _restored(standings, entrant, dataset, name))]
    shape = images["gt"].shape
    restored = [view for view in restored if view.image.shape == shape]
    if not restored:
        return None
    views = []
    if "lq" in images:
        views.append(View("input", "", None, images["lq"], False))
    if "baseline" in images and images["baseline"].shape == shape and standings.baseline_name != "input":
        measure = (dataset, standings.benchmark["metrics"][0])
        detail = _detail(measure, standings.baseline_image_value(measure, name))
        views.append(View(standings.baseline_name, detail, None, images["baseline"], True))
    views += [*restored, View("ground truth", "", None, images["gt"], False)]
    side = min(CROP, *shape[:2])
    return Comparison(dataset, name, views, (*figure.strongest_window(_interest(restored, images["gt"]), side), side))


def _interest(restored: list[View], truth: np.ndarray) -> np.ndarray:
    """Where the entrants differ; the edges of the ground truth if there is only one, or they are all equal."""
    variance = np.stack([view.image for view in restored]).astype(np.float32).var(0).mean(-1)
    return variance if variance.any() else figure.edges(truth)


def _restored(standings: Standings, entrant: Standing, dataset: str, name: str) -> View | None:
    """Of the first seed that has the image."""
    for run in entrant.finished.values():
        file = (run.get("images") or {}).get(dataset, {}).get(name)
        image = _read(standings.folder / file) if file else None
        if image is not None:
            measure = (dataset, standings.benchmark["metrics"][0])
            detail = _detail(measure, image_value(run, measure, name))
            return View(entrant.name, detail, entrant, image, True)
    return None


def _detail(measure: tuple[str, str], value: float | None) -> str:
    """28.11 dB, or the value and the metric's name."""
    if value is None:
        return ""
    return f"{value:.2f}{wording.unit(measure)}" if wording.unit(measure) else f"{value:.4f} {measure[1]}"


def _names(standings: Standings, dataset: str) -> list[str]:
    """Images of a set that any finished run has kept, in their order."""
    runs = [run for entrant in standings.ranked for run in entrant.finished.values()]
    return list(dict.fromkeys(name for run in runs for name in (run.get("images") or {}).get(dataset) or {}))


def _read(file: Path) -> np.ndarray | None:
    return cv2.imread(str(file), cv2.IMREAD_COLOR) if file.is_file() else None


def _enlarged(image: Image.Image, side: int) -> Image.Image:
    return image.resize((side, side), Image.Resampling.NEAREST)


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text)
