"""Comparison pictures: the whole image, and zoomed crops of input, baseline, restored and ground truth."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from .report import Row

CROP = 72  # side of the crop, in pixels of the ground truth
ZOOM = 4
GAP = 8
LABEL = 26
MOST_ROWS = 8


def draw_panel(rows: list["Row"], path: Path, baseline: str, network: str) -> None:
    """Write a PNG with a line for each row that has its images (the first MOST_ROWS).

    The crop is where the baseline has the strongest edges: structure that the input still shows.
    """
    rows = [row for row in rows if row.images is not None]
    whole_width = max(round(row.images.gt.shape[1] * CROP * ZOOM / row.images.gt.shape[0]) for row in rows)
    lines = [_draw_row(row, baseline, network, whole_width) for row in rows]
    panel = Image.new("RGB", (max(line.width for line in lines), sum(line.height for line in lines)), "white")
    top = 0
    for line in lines:
        panel.paste(line, (0, top))
        top += line.height
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.png")
    panel.save(partial)
    os.replace(partial, path)


def _draw_row(row: "Row", baseline: str, network: str, whole_width: int) -> Image.Image:
    images = row.images
    side = min(CROP, *images.gt.shape[:2])
    top, left = _strongest_edges(images.baseline, side)
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
    whole = _to_pil(images.gt)
    ImageDraw.Draw(whole).rectangle((left, top, left + side - 1, top + side - 1), outline="red", width=3)
    whole = whole.resize((round(whole.width * height / whole.height), height), Image.Resampling.LANCZOS)
    column = Image.new("RGB", (max(whole_width, whole.width), height), "white")
    column.paste(whole)
    tiles = [(row.name, column)]
    for title, image in views:
        factor = images.gt.shape[0] / image.shape[0]  # the input is smaller than the ground truth
        box = [round(edge / factor) for edge in (left, top, left + side, top + side)]
        crop = _to_pil(image).crop(box).resize((height, height), Image.Resampling.NEAREST)
        tiles.append((title, crop))
    line = Image.new("RGB", (sum(tile.width + GAP for _, tile in tiles) + GAP, height + LABEL + GAP), "white")
    draw, x = ImageDraw.Draw(line), GAP
    for title, tile in tiles:
        draw.text((x, 4), title, fill="black", font=ImageFont.load_default(16))
        line.paste(tile, (x, LABEL))
        x += tile.width + GAP
    return line


def _first_metric(metrics: dict[str, float]) -> str:
    name, value = next(iter(metrics.items()))
    return f"  {value:.2f} {'dB' if 'psnr' in name.lower() else name}"


def _strongest_edges(image: np.ndarray, side: int) -> tuple[int, int]:
    """Top left corner of the window with the largest sum of squared gradients."""
    gray = image.reshape(*image.shape[:2], -1).mean(-1)
    edges = np.square(np.gradient(gray)).sum(0)
    total = np.pad(edges.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    return int(top), int(left)


def _to_pil(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[..., ::-1].copy() if image.ndim == 3 else image).convert("RGB")
