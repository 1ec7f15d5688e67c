"""Compares `--method converse2d` with scikit-image's deconvolutions: python scripts/compare_deconvolution.py

Set5 with the paper's five blur kernels and its deblurring protocol (docs/reproduce.md): circular blur of the 8-bit
image, noise 2.55, PSNR over RGB without a border of one pixel. Each method gets the true kernel, and of a few values of
its parameter the one that is best over all images and kernels. Prints a Markdown table: mean PSNR in dB by kernel, and
the mean time of an image. --images and --kernels take fewer of them.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from skimage import restoration

from converse_basicsr.degradations import Blur
from converse_basicsr.errors import UserError
from converse_basicsr.evaluation.scores import psnr
from converse_basicsr.files.assets import assets_folder
from converse_basicsr.files.image_folder import images_in
from converse_basicsr.restoration.deconvolution import Deconvolution

Method = Callable[[np.ndarray, np.ndarray, float], np.ndarray]  # image (H, W, 3), kernel, parameter -> (H, W, 3)


def converse2d(image: np.ndarray, kernel: np.ndarray, lam: float) -> np.ndarray:
    y = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float()[None]
    return Deconvolution(kernel, lam, borders="circular")(y)[0].permute(1, 2, 0).numpy()


def by_channel(method: Callable, image: np.ndarray) -> np.ndarray:
    return np.dstack([method(image[..., i]) for i in range(3)])


def wiener(image: np.ndarray, kernel: np.ndarray, balance: float) -> np.ndarray:
    return by_channel(lambda channel: restoration.wiener(channel, kernel, balance), image)


def unsupervised_wiener(image: np.ndarray, kernel: np.ndarray, _: float) -> np.ndarray:
    return by_channel(lambda channel: restoration.unsupervised_wiener(channel, kernel, rng=0)[0], image)


def richardson_lucy(image: np.ndarray, kernel: np.ndarray, iterations: float) -> np.ndarray:
    image = image.clip(0, 1)
    return by_channel(lambda channel: restoration.richardson_lucy(channel, kernel, int(iterations)), image)


METHODS: dict[str, tuple[Method, str, tuple[float, ...]]] = {  # name: method, its parameter, values
    "blurred input": (lambda image, kernel, _: image, "", (0,)),
    "--method converse2d": (converse2d, "lam", (0.02, 0.04, 0.06, 0.08)),
    "skimage wiener": (wiener, "balance", (0.001, 0.003, 0.01, 0.03)),
    "skimage unsupervised_wiener": (unsupervised_wiener, "", (0,)),
    "skimage richardson_lucy": (richardson_lucy, "num_iter", (2, 5, 10, 20)),
}


def read(path: Path) -> np.ndarray:
    """(H, W, 3) RGB, float32 in [0, 1], with sides that are multiples of 8."""
    image = cv2.imread(str(path))[..., ::-1] / np.float32(255)
    height, width = (side // 8 * 8 for side in image.shape[:2])
    return image[:height, :width]


def to_8_bits(image: np.ndarray) -> np.ndarray:
    return (image.clip(0, 1) * 255).round().astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--kernels", type=int, default=5, help="(default: %(default)s)")
    args = parser.parse_args()
    assets = assets_folder()
    if assets is None:
        raise UserError("Set5 and the blur kernels are not here: set CONVERSE_ASSETS")
    images = [read(path) for path in images_in(assets / "testsets/set5")[: args.images]]
    torch.set_num_threads(1)
    scores = {
        (name, value): np.zeros((args.kernels, len(images)))
        for name, (_, _, values) in METHODS.items()
        for value in values
    }
    seconds = dict.fromkeys(scores, 0.0)
    for number in range(args.kernels):
        file = assets / f"blur_kernels/kernel_{number + 1}.npy"
        blur = Blur(str(file), psf_size=7, sigma=2.55)
        for index, image in enumerate(images):
            degraded = blur.degrade_image(image, index)
            kernel = degraded["kernel"][..., 0].astype(np.float64)
            for name, value in scores:
                start = time.perf_counter()
                restored = METHODS[name][0](degraded["lq"].astype(np.float64), kernel, value)
                seconds[name, value] += time.perf_counter() - start
                scores[name, value][number, index] = psnr(to_8_bits(restored), to_8_bits(image), 1)
    print("| method | parameter | " + " | ".join(f"k{i + 1}" for i in range(args.kernels)) + " | mean | seconds |")
    print("|---" * (args.kernels + 4) + "|")
    for name, (_, parameter, values) in METHODS.items():
        best = max(values, key=lambda value: scores[name, value].mean())
        cells = [f"{value:.2f}" for value in (*scores[name, best].mean(1), scores[name, best].mean())]
        shown = f"{parameter} {best:g} of {', '.join(f'{value:g}' for value in values)}" if parameter else "-"
        spent = seconds[name, best] / len(images) / args.kernels
        print(f"| {name} | {shown} | {' | '.join(cells)} | {spent:.3f} |", flush=True)


if __name__ == "__main__":
    main()
