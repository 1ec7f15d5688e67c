"""Comparison figures: the whole image, and zoomed crops of input, baseline, restored image and ground truth."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..files.atomic import replacing

if TYPE_CHECKING:
    from .measure import Row

CROP = 72  # side of the crop, in pixels of the ground truth
ZOOM = 4
GAP = 8
LABEL = 26
MOST_ROWS = 8


def save_comparison(rows: list["Row"], path: Path, baseline: str, network: str) -> None:
    """Save a PNG with one line for every row that holds images.

    The crop is where the baseline has the strongest edges, that is, structure that the input still shows.
    """
    rows = [row for row in rows if row.images is not None]
    whole_width = max(round(row.images.gt.shape[1] * CROP * ZOOM / row.images.gt.shape[0]) for row in rows)
    save_picture(stack([_row_figure(row, baseline, network, whole_width) for row in rows]), path)


def strongest_window(energy: np.ndarray, side: int) -> tuple[int, int]:
    """Top left corner of the side x side window with the largest sum of energy (H, W)."""
    total = np.pad(energy.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    return int(top), int(left)


def edges(image: np.ndarray) -> np.ndarray:
    """Squared gradient magnitude (H, W) of an image (H, W) or (H, W, 3)."""
    gray = image.reshape(*image.shape[:2], -1).mean(-1)
    return np.square(np.gradient(gray)).sum(0)


def to_pil(image: np.ndarray) -> Image.Image:
    """A uint8 image (H, W, 3) BGR or (H, W) as an RGB Pillow image."""
    return Image.fromarray(image[..., ::-1].copy() if image.ndim == 3 else image).convert("RGB")


def crop(image: np.ndarray, window: tuple[int, int, int], height: int) -> Image.Image:
    """Crop a window (top, left, side), given in pixels of an image of this height, e.g. the ground truth."""
    top, left, side = window
    factor = height / image.shape[0]  # above 1 for the input, which is smaller than the ground truth
    return to_pil(image).crop([round(edge / factor) for edge in (left, top, left + side, top + side)])


def outline(image: np.ndarray, window: tuple[int, int, int]) -> Image.Image:
    """The image with the window (top, left, side) outlined in red."""
    top, left, side = window
    whole = to_pil(image)
    ImageDraw.Draw(whole).rectangle((left, top, left + side - 1, top + side - 1), outline="red", width=3)
    return whole


def line_of_tiles(tiles: list[tuple[str, Image.Image]]) -> Image.Image:
    """Images of equal height side by side, each with a title above, shortened to its width."""
    height = max(tile.height for _, tile in tiles)
    line = Image.new("RGB", (sum(tile.width + GAP for _, tile in tiles) + GAP, height + LABEL + GAP), "white")
    draw, font, x = ImageDraw.Draw(line), ImageFont.load_default(16), GAP
    for title, tile in tiles:
        while len(title) > 3 and draw.textlength(title, font) > tile.width:
            title = title.removesuffix("...")[:-1] + "..."
        draw.text((x, 4), title, fill="black", font=font)
        line.paste(tile, (x, LABEL))
        x += tile.width + GAP
    return line


def stack(lines: list[Image.Image]) -> Image.Image:
    """Images stacked vertically."""
    panel = Image.new("RGB", (max(line.width for line in lines), sum(line.height for line in lines)), "white")
    top = 0
    for line in lines:
        panel.paste(line, (0, top))
        top += line.height
    return panel


def save_picture(picture: Image.Image, path: Path) -> None:
    """Save a PNG atomically; its folder is created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        picture.save(partial, "PNG")


def _row_figure(row: "Row", baseline: str, network: str, whole_width: int) -> Image.Image:
    images = row.images
    side = min(CROP, *images.gt.shape[:2])
    window = (*strongest_window(edges(images.baseline), side), side)
    views = [("input", images.lq), ("ground truth", images.gt)]
    views[1:1] = [
        (f"{title}{_first_metric(metrics)}", image)
        for title, image, metrics in (
            (baseline, images.baseline, row.baseline_metrics),
            (network, images.restored, row.restored_metrics),
        )
        if image is not images.lq
    ]
    height = side * ZOOM
    whole = outline(images.gt, window)
    whole = whole.resize((round(whole.width * height / whole.height), height), Image.Resampling.LANCZOS)
    column = Image.new("RGB", (max(whole_width, whole.width), height), "white")
    column.paste(whole)
    tiles = [(row.name, column)]
    for title, image in views:
        tile = crop(image, window, images.gt.shape[0])
        tiles.append((title, tile.resize((height, height), Image.Resampling.NEAREST)))
    return line_of_tiles(tiles)


def _first_metric(metrics: dict[str, float]) -> str:
    name, value = next(iter(metrics.items()))
    return f"  {value:.2f} {'dB' if 'psnr' in name.lower() else name}"
