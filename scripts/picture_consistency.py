"""The picture of docs/consistency.md: python scripts/picture_consistency.py WEIGHTS FILE.png

A part of scikit-image's photograph 'astronaut', reduced to a quarter by MATLAB's bicubic and rounded to 8 bits, then
restored by a x4 network: the result; what its own reduction lacks of the input, without the step and with it; and what
the step adds. Differences are enlarged 20 times around gray.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from skimage import data
from torch import Tensor

from converse_basicsr.degradations.bicubic import reduce_bicubic
from converse_basicsr.evaluation import figure
from converse_basicsr.inference.consistency import build_consistency
from converse_basicsr.weights.loading import load_network

WINDOW = slice(0, 224), slice(120, 344)
SIDE = 224  # of a view


def view(x: Tensor, gain: float = 1, offset: float = 0):
    """A Pillow image of x (1, 3, h, w)."""
    pixels = ((offset + gain * x[0]).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    factor = SIDE // pixels.shape[0]
    return figure.to_pil(pixels[..., ::-1].repeat(factor, 0).repeat(factor, 1))


@torch.no_grad()
def main(weights: str, file: str) -> None:
    gt = data.astronaut()[WINDOW]
    y = torch.from_numpy(np.moveaxis(reduce_bicubic(gt, 4), -1, 0).copy())[None].float() / 255
    x = load_network(weights)(y)
    step = build_consistency("bicubic", 4)
    z = step(x, y)
    figure.save_picture(
        figure.line_of_tiles(
            [
                ("restored", view(x)),
                ("input - reduced result, x20", view(y - step.reduce(x), 20, 0.5)),
                ("the same with the step, x20", view(y - step.reduce(z), 20, 0.5)),
                ("what the step adds, x20", view(z - x, 20, 0.5)),
            ]
        ),
        Path(file),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
