"""A panel with input and result side by side: the whole pictures, and zoomed crops."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from ..evaluation import figure
from ..images.picture import Picture

HEIGHT = figure.CROP * figure.ZOOM
_MOST_WIDTH = 4 * HEIGHT  # of a whole picture
_MOST_PIXELS = 1e6  # of the picture in which details are searched


def save_panel(before: Picture, after: Picture, path: Path, gt: np.ndarray | None = None) -> None:
    """Save the panel as PNG, atomically.

    Args:
        before, after: input and result; the result's sides are those of the input times a scale.
        path: the file; its folder is created.
        gt: the ground truth (H, W, C) uint8, RGB or gray, of the result's size, or None.
    """
    views = [("input", _shown(before)), ("restored", _shown(after))]
    if gt is not None:
        views.append(("ground truth", _shown(Picture(gt))))
    windows = _windows(views[0][1], views[1][1].shape)
    height = views[1][1].shape[0]
    whole = [
        (f"{title} {image.shape[1]}x{image.shape[0]}", _whole(image, windows[0], height)) for title, image in views
    ]
    crops = [
        [(title, figure.crop(image, window, height).resize((HEIGHT, HEIGHT), Image.Resampling.NEAREST))
         for title, image in views]
        for window in windows
    ]  # fmt: skip
    figure.save_picture(figure.stack([figure.line_of_tiles(line) for line in (whole, *crops)]), path)


def _shown(picture: Picture) -> np.ndarray:
    """(H, W, 3) uint8 BGR, over white where it is transparent."""
    picture = picture.in_8_bits()
    pixels = np.broadcast_to(picture.pixels, (*picture.pixels.shape[:2], 3))[..., ::-1]
    if picture.alpha is None:
        return pixels
    share = picture.alpha[..., None] / np.float32(255)
    return (pixels * share + 255 * (1 - share)).round().astype(np.uint8)


def _whole(image: np.ndarray, window: tuple[int, int, int], height: int) -> Image.Image:
    """The image in the panel's size, with the window outlined, which is given in pixels of an image of this height."""
    small = figure.to_pil(image)
    factor = min(HEIGHT / small.height, _MOST_WIDTH / small.width)
    size = [max(1, round(side * factor)) for side in small.size]
    small = small.resize(size, Image.Resampling.LANCZOS)
    factor = size[1] / height
    return figure.outline(np.asarray(small)[..., ::-1], tuple(max(round(edge * factor), 0) for edge in window))


def _windows(before: np.ndarray, size: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """The two windows (top, left, side) of the result with the strongest edges in the input."""
    step = math.ceil(math.sqrt(before.shape[0] * before.shape[1] / _MOST_PIXELS))
    image = before[::step, ::step]
    factor = size[0] / image.shape[0]
    side = max(1, min(round(figure.CROP / factor), *image.shape[:2]))
    energy = figure.edges(image) if min(image.shape[:2]) > 1 else np.ones(image.shape[:2])
    windows = []
    for _ in range(2):
        top, left = figure.strongest_window(energy, side)
        windows.append((round(top * factor), round(left * factor), max(1, round(side * factor))))
        energy = energy.copy()
        energy[top : top + side, left : left + side] = 0
    return windows
