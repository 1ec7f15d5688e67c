"""Measures one protocol image by image, with the data set and model classes of training."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import torch

from .. import __version__
from ..compat import load_basicsr
from ..evaluation.measure import Row, measure, quietly, validation_set
from ..inference.consistency import build_consistency
from .places import Places
from .protocols import Protocol

load_basicsr()

from basicsr.models import build_model  # noqa: E402 (BasicSR can be imported from here on)


class Evaluation:
    """A protocol with its data set.

    Args:
        protocol: what to measure.
        places: where its files are.
        val: options of RestorationModel: tile, tile_overlap, x8, consistency, consistency_lam.

    Attributes:
        settings: what the numbers depend on besides the protocol and the image.
        images: files, in order, with different names.

    Raises:
        UserError: a file is missing or unusable.
    """

    def __init__(self, protocol: Protocol, places: Places, val: dict):
        self.protocol = protocol
        weights, images = places.checkpoint(protocol), places.images(protocol)
        self.settings = {"version": __version__, "weights": digest(weights), "val": val}
        dataset = {**protocol.dataset, "dataroot_gt": str(images), "io_backend": {"type": "disk"}}
        if protocol.psf is not None:
            psf = places.psf(protocol)
            self.settings["psf"] = digest(psf)
            dataset["psf"] = str(psf)
        if "consistency" in val:
            step = build_consistency(val["consistency"], protocol.scale, val.get("consistency_lam"))
            self.settings["reduction"] = hashlib.sha256(step.psf.numpy().tobytes()).hexdigest()
        self.opt = {
            "name": protocol.name,
            "model_type": "RestorationModel",
            "scale": protocol.scale,
            "num_gpu": torch.cuda.device_count(),
            "is_train": False,
            "dist": False,
            "network_g": {"type": protocol.network},
            "path": {"pretrain_network_g": str(weights), "param_key_g": None},
            "val": val,
        }
        self.dataset = validation_set({**dataset, "name": protocol.name}, self.opt)
        self.images = [Path(path) for path in self.dataset.paths]

    def measure(self, indices: list[int]) -> Iterator[Row]:
        """The rows of those images, one by one."""
        if not indices:
            return
        model = quietly(build_model, self.opt)
        for index in indices:
            sample = torch.utils.data.default_collate([self.dataset[index]])
            yield measure(model, sample, self.protocol.metrics, self.protocol.scale)


def digest(path: Path) -> str:
    """SHA-256 of the file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
