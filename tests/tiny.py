"""A data set of a few small images and options to train on it within seconds."""

from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import yaml

OPTIONS = {
    "name": "tiny",
    "model_type": "SRModel",
    "scale": 4,
    "num_gpu": "auto",
    "manual_seed": 0,
    "datasets": {
        "train": {
            "name": "tiny",
            "type": "PairedImageDataset",
            "dataroot_gt": "data/HR",
            "dataroot_lq": "data/LR",
            "io_backend": {"type": "disk"},
            "gt_size": 32,
            "use_hflip": True,
            "use_rot": True,
            "num_worker_per_gpu": 0,
            "batch_size_per_gpu": 2,
            "dataset_enlarge_ratio": 1,
            "prefetch_mode": "cuda",
            "pin_memory": True,
        },
        "val": {
            "name": "tiny_val",
            "type": "PairedImageDataset",
            "dataroot_gt": "data/HR",
            "dataroot_lq": "data/LR",
            "io_backend": {"type": "disk"},
        },
    },
    "network_g": {"type": "ConverseSRResNet", "num_feat": 4, "num_block": 1, "upscale": 4},
    "path": {"pretrain_network_g": None, "strict_load_g": True, "resume_state": None},
    "train": {
        "ema_decay": 0.9,
        "optim_g": {"type": "Adam", "lr": 1e-3},
        "scheduler": {"type": "CosineAnnealingRestartLR", "periods": [4], "restart_weights": [1], "eta_min": 1e-6},
        "total_iter": 2,
        "pixel_opt": {"type": "L1Loss", "loss_weight": 1.0, "reduction": "mean"},
    },
    "val": {
        "val_freq": 2,
        "save_img": False,
        "metrics": {"psnr": {"type": "calculate_psnr", "crop_border": 4, "test_y_channel": True, "better": "higher"}},
    },
    "logger": {"print_freq": 1, "save_checkpoint_freq": 2, "use_tb_logger": False},
}
MISSING = ...  # with a repr that is the same in every process


def write_images(folder: Path, count: int = 3, size: int = 64) -> None:
    """folder/HR and folder/LR: smooth images of size x size, and every fourth pixel of them."""
    wave = np.linspace(0, 6, size)
    for number in range(count):
        image = np.stack([np.sin(wave[:, None] * (channel + 1) + wave + number) for channel in range(3)], -1)
        image = ((image + 1) * 127).round().astype(np.uint8)
        for name, content in (("HR", image), ("LR", image[::4, ::4])):
            (folder / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name / f"image{number}.png"), content)


def options(**changes) -> dict:
    """OPTIONS with changes by path, as ``datasets__train__gt_size=48``; MISSING takes a key out."""
    opt = deepcopy(OPTIONS)
    for path, value in changes.items():
        *branch, leaf = path.split("__")
        section = opt
        for key in branch:
            section = section[key]
        if value is MISSING:
            del section[leaf]
        else:
            section[leaf] = value
    return opt


def write_options(file: Path, **changes) -> Path:
    file.write_text(yaml.safe_dump(options(**changes), sort_keys=False))
    return file
