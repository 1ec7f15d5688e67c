"""Compares `--method converse2d` with scikit-image's deconvolutions: python scripts/compare_deconvolution.py

Set5 with the paper's five blur kernels and its deblurring protocol (docs/reproduce.md): circular blur of the 8-bit
image, PSNR over RGB without a border of one pixel. With --cropped, as a camera does it: the outer 16 pixels of the
blurred image are unknown to all methods, each of which gets the rest continued by its border pixels (as --borders
replicate does), and again "as it is". Each method gets the true kernel, and of a few values of its parameter the one
that is best over all images and kernels. Prints a Markdown table: mean PSNR in dB by kernel, and the mean time of an
image. --picture FILE instead saves a figure with a photograph from scikit-image.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from scipy.ndimage import convolve
from skimage import restoration

from converse_basicsr.degradations import Blur
from converse_basicsr.errors import UserError
from converse_basicsr.evaluation.scores import psnr
from converse_basicsr.files.assets import assets_folder
from converse_basicsr.files.image_folder import images_in
from converse_basicsr.inference.deconvolution import Deconvolution

Method = Callable[[np.ndarray, np.ndarray, float], np.ndarray]  # image (H, W, 3), kernel, parameter -> (H, W, 3)


def converse2d(steps: int) -> Method:
    def method(image: np.ndarray, kernel: np.ndarray, lam: float) -> np.ndarray:
        y = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float()[None]
        return Deconvolution(kernel, lam, borders="circular", steps=steps)(y)[0].permute(1, 2, 0).numpy()

    return method


def by_channel(method: Callable, image: np.ndarray) -> np.ndarray:
    return np.dstack([method(image[..., i]) for i in range(3)])


def wiener(image: np.ndarray, kernel: np.ndarray, balance: float) -> np.ndarray:
    return by_channel(lambda channel: restoration.wiener(channel, kernel, balance), image)


def unsupervised_wiener(image: np.ndarray, kernel: np.ndarray, _: float) -> np.ndarray:
    return by_channel(lambda channel: restoration.unsupervised_wiener(channel, kernel, rng=0)[0], image)


def richardson_lucy(image: np.ndarray, kernel: np.ndarray, iterations: float) -> np.ndarray:
    image = image.clip(0, 1)
    return by_channel(lambda channel: restoration.richardson_lucy(channel, kernel, int(iterations)), image)


METHODS: dict[str, tuple[Method, str, tuple[float, ...]]] = {  # name: method, its parameter, values per noise of 2.55
    "blurred input": (lambda image, kernel, _: image, "", (0,)),
    "--method converse2d --steps 1": (converse2d(1), "lam", (0.025, 0.05, 0.1)),
    "--method converse2d": (converse2d(4), "lam", (0.05, 0.1, 0.15, 0.2, 0.3)),
    "--method converse2d --steps 16": (converse2d(16), "lam", (0.1, 0.15, 0.2, 0.3)),
    "skimage wiener": (wiener, "balance", (0.001, 0.003, 0.01, 0.03, 0.1)),
    "skimage unsupervised_wiener": (unsupervised_wiener, "", (0,)),
    "skimage richardson_lucy": (richardson_lucy, "num_iter", (1, 2, 4, 8, 16)),
}
CROP = 16


def read(path: Path) -> np.ndarray:
    """(H, W, 3) RGB, float32 in [0, 1], with sides that are multiples of 8."""
    image = cv2.imread(str(path))[..., ::-1] / np.float32(255)
    height, width = (side // 8 * 8 for side in image.shape[:2])
    return image[:height, :width]


def to_8_bits(image: np.ndarray) -> np.ndarray:
    return (image.clip(0, 1) * 255).round().astype(np.uint8)


def continued(method: Method, image: np.ndarray, kernel: np.ndarray, value: float) -> np.ndarray:
    """The method on the image continued by its border pixels, as far as Deconvolution does."""
    margin = 4 * max(kernel.shape)
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), "edge")
    return method(padded, kernel, value)[margin:-margin, margin:-margin]


def as_it_is(method: Method, image: np.ndarray, kernel: np.ndarray, value: float) -> np.ndarray:
    return method(image, kernel, value)


CAPTIONS = {  # short enough for a picture
    "--method converse2d --steps 1": "converse2d, 1 step",
    "--method converse2d": "converse2d, 4 steps",
    "--method converse2d --steps 16": "converse2d, 16 steps",
    "skimage unsupervised_wiener": "unsupervised wiener",
    "skimage richardson_lucy": "richardson_lucy",
}


def save_picture(file: Path) -> None:
    """A figure: a photograph, blurred, and what the methods make of it, each with its best parameter."""
    from skimage import data

    from converse_basicsr.blur_kernels.choosing import choose_kernel
    from converse_basicsr.evaluation import figure

    image = read_8_bits(data.astronaut())
    kernel = choose_kernel("motion:9,30")
    blurred = convolve(image, kernel[..., None], mode="wrap")
    degraded = blurred + np.random.default_rng(0).normal(0, 2.55 / 255, image.shape)
    window = (slice(4, 212), slice(122, 330))
    tiles = [("original", to_8_bits(image)[window])]
    for name, (method, _, values) in METHODS.items():
        results = [to_8_bits(method(degraded.clip(0, 1), kernel, value)) for value in values]
        scores = [psnr(result, to_8_bits(image), 1) for result in results]
        best = int(np.argmax(scores))
        tiles.append((f"{CAPTIONS.get(name, name)} {scores[best]:.1f}", results[best][window]))
        print(name, f"{scores[best]:.2f}", values[best], flush=True)
    tiles = [(title, Image.fromarray(tile)) for title, tile in tiles]
    lines = [figure.line_of_tiles(tiles[i : i + 4]) for i in range(0, len(tiles), 4)]
    figure.save_picture(figure.stack(lines).quantize(40, dither=Image.Dither.NONE), file)


def read_8_bits(image: np.ndarray) -> np.ndarray:
    return image / np.float32(255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--kernels", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--sigma", type=float, default=2.55, help="noise on the 0-255 scale (default: %(default)s)")
    parser.add_argument("--cropped", action="store_true", help="the blurred image without its outer pixels")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="save a figure, and measure nothing")
    args = parser.parse_args()
    if args.picture:
        save_picture(args.picture)
        return
    assets = assets_folder()
    if assets is None:
        raise UserError("Set5 and the blur kernels are not here: set CONVERSE_ASSETS")
    images = [read(path) for path in images_in(assets / "testsets/set5")[: args.images]]
    torch.set_num_threads(1)
    ways = {", continued": continued, ", as it is": as_it_is} if args.cropped else {"": as_it_is}
    factor = {"lam": args.sigma / 2.55}
    scores = {
        (name, way, value * factor.get(parameter, 1)): np.zeros((args.kernels, len(images)))
        for name, (_, parameter, values) in METHODS.items()
        for way in (ways if parameter else [next(iter(ways))])
        for value in values
    }
    seconds = dict.fromkeys(scores, 0.0)
    for number in range(args.kernels):
        file = assets / f"blur_kernels/kernel_{number + 1}.npy"
        blur = Blur(str(file), psf_size=7, sigma=args.sigma)
        for index, image in enumerate(images):
            degraded = blur.degrade_image(image, index)
            kernel = degraded["kernel"][..., 0].astype(np.float64)
            lq, gt = degraded["lq"].astype(np.float64), to_8_bits(image)
            if args.cropped:
                lq, gt = lq[CROP:-CROP, CROP:-CROP], gt[CROP:-CROP, CROP:-CROP]
            for name, way, value in scores:
                start = time.perf_counter()
                restored = ways[way](METHODS[name][0], lq, kernel, value)
                seconds[name, way, value] += time.perf_counter() - start
                scores[name, way, value][number, index] = psnr(to_8_bits(restored), gt, 1)
    print("| method | parameter | " + " | ".join(f"k{i + 1}" for i in range(args.kernels)) + " | mean | seconds |")
    print("|---" * (args.kernels + 4) + "|")
    for name, way in dict.fromkeys(key[:2] for key in scores):
        values = [key[2] for key in scores if key[:2] == (name, way)]
        best = max(values, key=lambda value: scores[name, way, value].mean())
        found = scores[name, way, best]
        cells = [f"{value:.2f}" for value in (*found.mean(1), found.mean())]
        parameter = METHODS[name][1]
        shown = f"{parameter} {best:g} of {', '.join(f'{value:g}' for value in values)}" if parameter else "-"
        spent = seconds[name, way, best] / len(images) / args.kernels
        print(f"| {name}{way} | {shown} | {' | '.join(cells)} | {spent:.3f} |", flush=True)


if __name__ == "__main__":
    main()
