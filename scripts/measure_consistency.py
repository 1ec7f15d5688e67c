"""Measures the consistency step after a x4 network: python scripts/measure_consistency.py --inputs float 8-bit

Inputs are made from the ground truth of Set5 or Set14 by MATLAB's bicubic reduction: as float, as in the paper's
protocol; in 8 bits; in 8 bits with Gaussian noise, or through a JPEG file; or by other reductions than the step assumes
(area: means of blocks; aliased: bicubic interpolation without antialiasing). Prints Markdown: the mean PSNR on Y
(BasicSR's calculate_psnr, Y not rounded, border 4) without the step and by its lam, the root mean square distance of
the reduced result from the input, on the 0-255 scale, and the gain per image.

The network's outputs are saved in --out, one file each, and used again: an interrupted run continues.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from converse_basicsr.degradations.bicubic import reduce_bicubic
from converse_basicsr.errors import UserError
from converse_basicsr.files.assets import assets_folder
from converse_basicsr.files.image_folder import images_in
from converse_basicsr.inference import restore_x8
from converse_basicsr.inference.consistency import build_consistency
from converse_basicsr.weights.loading import load_network

from basicsr.metrics import calculate_psnr
from basicsr.utils.matlab_functions import imresize

SCALE = 4
LAMS = (1.0, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)
FOCUS = 0.01  # lam of the gain per image


def in_float(gt: np.ndarray) -> np.ndarray:
    """(h, w, 3), 0 to 255."""
    return imresize(gt.astype(np.float32) / 255, 1 / SCALE) * 255


def noisy(gt: np.ndarray, sigma: float) -> np.ndarray:
    image = in_float(gt)
    return (image + np.random.RandomState(0).normal(0, sigma, image.shape)).clip(0, 255).round()


def through_jpeg(gt: np.ndarray, quality: int) -> np.ndarray:
    file = cv2.imencode(".jpg", reduce_bicubic(gt, SCALE), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(file, cv2.IMREAD_COLOR)


def resized(gt: np.ndarray, interpolation: int) -> np.ndarray:
    return cv2.resize(gt, None, fx=1 / SCALE, fy=1 / SCALE, interpolation=interpolation)


INPUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "float": in_float,
    "8-bit": lambda gt: reduce_bicubic(gt, SCALE),
    "noise2.55": lambda gt: noisy(gt, 2.55),
    "noise10": lambda gt: noisy(gt, 10),
    "jpeg90": lambda gt: through_jpeg(gt, 90),
    "jpeg50": lambda gt: through_jpeg(gt, 50),
    "area": lambda gt: resized(gt, cv2.INTER_AREA),
    "aliased": lambda gt: resized(gt, cv2.INTER_CUBIC),
}


def read(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 BGR, with sides that are multiples of SCALE."""
    image = cv2.imread(str(path))
    height, width = (side // SCALE * SCALE for side in image.shape[:2])
    return image[:height, :width]


def to_tensor(image: np.ndarray) -> Tensor:
    """(h, w, 3) BGR, 0 to 255 -> (1, 3, h, w) RGB in [0, 1]."""
    return torch.from_numpy(image[..., ::-1].astype(np.float32).transpose(2, 0, 1).copy())[None] / 255


def psnr(x: Tensor, gt: np.ndarray) -> float:
    image = (x[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()[..., ::-1]
    return float(calculate_psnr(image, gt, SCALE, test_y_channel=True))


@torch.no_grad()
def restored(network: nn.Module, lq: Tensor, way: str, file: Path) -> Tensor:
    """The network's output, from its file if there is one."""
    if not file.exists():
        output = restore_x8(network, lq) if way == "x8" else network(lq)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial.npy")
        np.save(partial, output.numpy())
        partial.replace(file)
        print(f"restored {file}", flush=True)
    return torch.from_numpy(np.load(file))


def measure(args: argparse.Namespace, network: nn.Module, test_set: str, kind: str, way: str) -> Iterator[str]:
    """The lines of the table for one set, kind of input and way of restoration."""
    steps = {lam: build_consistency(args.consistency, SCALE, lam) for lam in args.lams}
    step = build_consistency(args.consistency, SCALE)
    scores, distances = ([], [])
    for path in images_in(assets_folder() / "testsets" / test_set)[: args.limit]:
        gt = read(path)
        lq = to_tensor(INPUTS[kind](gt))
        x = restored(network, lq, way, Path(args.out, test_set, f"{path.stem}_{kind}_{way}.npy"))
        results = [x, *(steps[lam](x, lq) for lam in args.lams)]
        scores.append([psnr(each, gt) for each in results])
        distances.append([float((step.reduce(each) - lq).square().mean().sqrt()) * 255 for each in results])
    start = f"| {test_set} | {kind} | {way} |"
    yield f"{start} PSNR, dB | {' | '.join(f'{value:.3f}' for value in np.mean(scores, 0))} |"
    yield f"{start} distance | {' | '.join(f'{value:.3f}' for value in np.mean(distances, 0))} |"
    gains = [line[1 + args.lams.index(FOCUS)] - line[0] for line in scores]
    yield f"{start} gain per image, lam {FOCUS:g} | {min(gains):+.3f} to {max(gains):+.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="converse_srresnet", help="weights (default: %(default)s)")
    parser.add_argument("--opt", help="option file with network_g, for weights that do not say")
    parser.add_argument("--sets", nargs="+", default=["set5"], help="(default: %(default)s)")
    parser.add_argument("--inputs", nargs="+", default=["float"], choices=INPUTS, help="(default: %(default)s)")
    parser.add_argument("--ways", nargs="+", default=["once"], choices=("once", "x8"), help="(default: %(default)s)")
    parser.add_argument("--lams", nargs="+", type=float, default=LAMS, help="with 0.01 (default: %(default)s)")
    parser.add_argument("--consistency", default="bicubic", help="as in basicsr restore (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="only the first images")
    parser.add_argument("--out", required=True, help="folder for the network's outputs")
    args = parser.parse_args()
    if assets_folder() is None:
        raise UserError("the test sets are not here: set CONVERSE_ASSETS")
    torch.set_num_threads(1)
    network = load_network(args.model, args.opt)
    print(f"| set | input | way | | without | {' | '.join(f'lam {lam:g}' for lam in args.lams)} |")
    print("|---" * (5 + len(args.lams)) + "|")
    for test_set in args.sets:
        for kind in args.inputs:
            for way in args.ways:
                print(*measure(args, network, test_set, kind, way), sep="\n", flush=True)


if __name__ == "__main__":
    main()
