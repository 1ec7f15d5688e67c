"""Data sets that make their input from ground truth."""

from inspect import signature

import torch

from basicsr.utils.registry import DATASET_REGISTRY

from ..degradations import BicubicReduction, Blur, Degradation, GaussianNoise
from ..options.constructors import check_options
from .ground_truth_dataset import LOADER_KEYS, GroundTruthDataset, to_tensor


class DegradedDataset(GroundTruthDataset):
    """Ground truth and its degraded image: random for training, by the paper's protocol for validation.

    Options: those of GroundTruthDataset and the arguments of the degradation.

    Samples: lq, gt and, for a blur, kernel, each (C, H, W) float32; lq_path and gt_path.
    """

    degradation_class: type[Degradation]

    def __init__(self, opt: dict):
        super().__init__(opt)
        arguments = {name: opt[name] for name in signature(self.degradation_class).parameters if name in opt}
        self.degradation = self.degradation_class(**arguments)
        self.multiple = self.degradation.multiple

    def check_keys(self) -> None:
        check_options(type(self).__name__, self.opt, self.degradation_class, also=(*self.KEYS, *LOADER_KEYS))

    def __getitem__(self, index: int) -> dict:
        gt, path = self.read(index), self.paths[index]
        if self.is_train:
            seed = int(torch.randint(2**62, ()))
            batch = self.degradation.degrade_batch(to_tensor(gt)[None], [seed])
            made = {name: value[0] for name, value in batch.items()}
        else:
            made = {name: to_tensor(value) for name, value in self.degradation.degrade_image(gt, index).items()}
        return {**made, "gt": to_tensor(gt), "lq_path": path, "gt_path": path}


@DATASET_REGISTRY.register()
class GaussianDenoisingDataset(DegradedDataset):
    """Ground truth, gray or colour, and the same with Gaussian noise (sigma: a number or [least, largest])."""

    degradation_class = GaussianNoise


@DATASET_REGISTRY.register()
class BicubicSRDataset(DegradedDataset):
    """Ground truth and its bicubic downsampling by scale (quantise: rounded to 8 bits, or float)."""

    degradation_class = BicubicReduction

    @property
    def least_side(self) -> int:
        return 2 * self.multiple  # the border is reflected over 2 * scale pixels


@DATASET_REGISTRY.register()
class BlurDataset(DegradedDataset):
    """Ground truth, its blurred, decimated and noisy image, and the blur kernel."""

    degradation_class = Blur
