"""Train a small Converse-SRResNet, x2, with mmengine's Runner on a photograph from scikit-image.

python examples/mmengine_training.py [--iterations N] [--work-dir FOLDER]
"""

import argparse

import skimage.data
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import Dataset

import converse_basicsr.mmengine  # noqa: F401 (registers the networks)

SCALE = 2


@MODELS.register_module()
class Restorer(BaseModel):
    """A network and its L1 loss. Inputs and ground truth are (N, C, H, W) in [0, 1].

    Args:
        network: configuration of the network.
    """

    def __init__(self, network: dict):
        super().__init__()
        self.network = MODELS.build(network)

    def forward(self, lq: Tensor, gt: Tensor, mode: str = "tensor") -> dict | list | Tensor:
        output = self.network(lq)
        if mode == "loss":
            return {"loss_l1": F.l1_loss(output, gt)}
        if mode == "predict":
            return [{"output": image, "gt": truth} for image, truth in zip(output.clamp(0, 1), gt, strict=True)]
        return output


@DATASETS.register_module()
class PhotographPatches(Dataset):
    """Patches of one photograph, and the same reduced by averaging.

    Args:
        size: side of a ground-truth patch in pixels.
        step: distance of the patches in pixels.
    """

    def __init__(self, size: int, step: int):
        photograph = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1).float() / 255
        windows = photograph.unfold(1, size, step).unfold(2, size, step)  # (C, rows, columns, size, size)
        self.patches = windows.permute(1, 2, 0, 3, 4).flatten(0, 1).contiguous()

    def __len__(self) -> int:
        return len(self.patches)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        gt = self.patches[index]
        return {"lq": F.avg_pool2d(gt, SCALE), "gt": gt}


@METRICS.register_module()
class PSNR(BaseMetric):
    """Mean PSNR in dB of images in [0, 1]."""

    default_prefix = "photograph"

    def process(self, data_batch: dict, data_samples: list[dict]) -> None:
        for sample in data_samples:
            self.results.append(-10 * torch.log10(F.mse_loss(sample["output"], sample["gt"])).item())

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return {"psnr": sum(results) / len(results)}


def configuration(iterations: int, work_dir: str) -> Config:
    """The Runner's configuration."""
    network = {"type": "converse_basicsr.ConverseSRResNet", "num_feat": 16, "num_block": 1, "upscale": SCALE}
    loader = {"collate_fn": {"type": "default_collate"}, "num_workers": 0}
    return Config(
        {
            "model": {"type": "Restorer", "network": network},
            "work_dir": work_dir,
            "train_dataloader": dict(
                **loader,
                batch_size=4,
                dataset={"type": "PhotographPatches", "size": 32, "step": 32},
                sampler={"type": "InfiniteSampler"},
            ),
            "train_cfg": {"by_epoch": False, "max_iters": iterations, "val_interval": iterations},
            "optim_wrapper": {"optimizer": {"type": "Adam", "lr": 2e-3}},
            "val_dataloader": dict(
                **loader,
                batch_size=4,
                dataset={"type": "PhotographPatches", "size": 64, "step": 160},
                sampler={"type": "DefaultSampler", "shuffle": False},
            ),
            "val_cfg": {},
            "val_evaluator": {"type": "PSNR"},
            "log_processor": {"by_epoch": False},
            "default_hooks": {
                "logger": {"type": "LoggerHook", "interval": 5},
                "checkpoint": {"type": "CheckpointHook", "interval": iterations, "by_epoch": False},
            },
            "randomness": {"seed": 0},
        }
    )


def train(iterations: int, work_dir: str) -> Runner:
    """Train, validate once at the end, and return the Runner."""
    runner = Runner.from_cfg(configuration(iterations, work_dir))
    runner.train()
    return runner


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--work-dir", default="experiments/mmengine")
    arguments = parser.parse_args()
    train(arguments.iterations, arguments.work_dir)
