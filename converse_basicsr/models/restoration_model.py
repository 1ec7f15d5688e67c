"""The model type for every network and data set of this plugin."""

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from basicsr.models.sr_model import SRModel
from basicsr.utils.registry import MODEL_REGISTRY

from ..degradations import build_degradation
from ..errors import UserError
from ..inference import TILE_OVERLAP, restore_tiled, restore_x8
from ..inference.calling import call_network, takes_kernel
from ..inference.consistency import build_consistency
from .optimiser_step import OptimiserStep


@MODEL_REGISTRY.register()
class RestorationModel(SRModel):
    """BasicSR's SRModel with additions; options and checkpoints are those of SRModel.

    - A network whose forward has an argument `kernel` is called with the blur kernel of the batch and the scale.
    - Images are padded to multiples of network_g: window_size, if there is one, and the result is cropped, as in
      BasicSR's SwinIRModel.
    - A batch without lq is degraded on the device, as the section `degradation` says (type: GaussianNoise,
      BicubicReduction or Blur, and its arguments); data sets then provide only ground truth.
    - val: x8 averages over the 8 flips and transposes. val: tile restores in tiles of that side (in pixels of the
      input) that overlap by val: tile_overlap (default TILE_OVERLAP); the CPU assembles them. An error names the image
      that the network rejects.
    - val: consistency changes the result as little as possible so that it reduces to its input: 'bicubic' or a blur
      kernel is the reduction, val: consistency_lam (default CONSISTENCY_LAM) the weight of the network's result.
    - train: accum_iter trains on a batch in so many parts, one after the other, and makes one step with the gradients
      of the whole batch. train: amp (bf16 or fp16) runs the network with autocast in training; the losses are float32.
      train: clip_grad_norm limits the norm of the gradients.
    - EMA copies batch statistics as well as averaging parameters.
    """

    def __init__(self, opt: dict):
        section = opt.get("degradation")
        self.degradation = build_degradation(section, opt.get("scale")) if section else None
        self.scale = opt.get("scale") or 1
        self.window = opt["network_g"].get("window_size", 1)
        self.kernel: Tensor | None = None
        self.path = ""  # of the input, for error messages
        val = opt.get("val") or {}
        reduction, lam = val.get("consistency"), val.get("consistency_lam")
        self.consistency = None if reduction is None else build_consistency(reduction, self.scale, lam)
        if opt["is_train"] and opt["train"].get("amp") and opt["num_gpu"] > 1 and not opt["dist"]:
            raise UserError(
                "train:amp: needs a process for each GPU (torchrun, see docs/distributed.md), or num_gpu: 1"
            )  # DataParallel's threads do not inherit the dtype of autocast
        super().__init__(opt)

    def init_training_settings(self) -> None:
        super().init_training_settings()
        train = self.opt["train"]
        self.num_parts = train.get("accum_iter", 1)
        amp, limit = train.get("amp"), train.get("clip_grad_norm")
        self.optimiser_step = OptimiserStep(self.optimizer_g, self.device, amp, limit)

    def feed_data(self, data: dict) -> None:
        if "lq" not in data:
            with torch.no_grad():
                gt = data["gt"].to(self.device)
                data = {**data, "gt": gt, **self.degradation.degrade_batch(gt, self._seeds(data))}
        super().feed_data(data)
        self.kernel = data["kernel"].to(self.device) if "kernel" in data else None
        self.path = data.get("lq_path", ["the input"])[0]

    def update_learning_rate(self, current_iter: int, warmup_iter: int = -1) -> None:
        if not self.optimiser_step.skipped:
            return super().update_learning_rate(current_iter, warmup_iter)
        with warnings.catch_warnings():  # the schedule goes on after a skipped step; torch warns if that is the first
            warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before", UserWarning)
            super().update_learning_rate(current_iter, warmup_iter)

    def optimize_parameters(self, current_iter: int) -> None:
        self.optimizer_g.zero_grad()
        outputs, losses = [], {}
        for lq, gt, kernel, is_last in self._parts():
            with self._sharing_gradients(is_last):
                with self.optimiser_step.autocast():
                    output = self.restore(self.net_g, lq, kernel).to(gt.dtype)
                part = {
                    name: loss * self._weight(name, len(lq) / len(self.lq))
                    for name, loss in self.losses(output, gt).items()
                }
                self.optimiser_step.backward(sum(part.values()))
            outputs.append(output.detach())
            losses = {name: losses.get(name, 0) + loss.detach() for name, loss in part.items()}
        self.output = torch.cat(outputs)
        noted = self.optimiser_step.finish()
        self.log_dict = {**self.reduce_loss_dict(losses), **noted}
        if self.ema_decay > 0 and not self.optimiser_step.skipped:
            self.model_ema(decay=self.ema_decay)

    def _parts(self) -> Iterator[tuple[Tensor, Tensor, Tensor | None, bool]]:
        """(lq, gt, kernel, whether it is the last) of the parts of the batch, whose sizes differ by 1 at most."""
        count = min(self.num_parts, len(self.lq))
        kernels = [None] * count if self.kernel is None else self.kernel.tensor_split(count)
        parts = zip(self.lq.tensor_split(count), self.gt.tensor_split(count), kernels, strict=True)
        for number, part in enumerate(parts, start=1):
            yield *part, number == count

    def _sharing_gradients(self, now: bool) -> AbstractContextManager:
        """Several processes take the mean of their gradients in the last part only, when these are those of all."""
        return nullcontext() if now or not isinstance(self.net_g, DistributedDataParallel) else self.net_g.no_sync()

    def _weight(self, name: str, share: float) -> float:
        """The weight of a part's loss, so that the sum over the parts is the loss of the batch."""
        is_sum = name == "l_pix" and getattr(self.cri_pix, "reduction", "mean") == "sum"
        return 1.0 if is_sum else share

    @staticmethod
    def _seeds(data: dict) -> list[int]:
        """A seed for every sample: of the batch, or random ones in a training script other than this plugin's."""
        seeds = data["sample_seed"] if "sample_seed" in data else torch.randint(2**62, data["gt"].shape[:1])
        return seeds.tolist()

    def losses(self, output: Tensor, gt: Tensor) -> dict[str, Tensor]:
        """The losses of the options, by their names in the log: means over these samples, or sums for l_pix."""
        losses = {}
        if self.cri_pix:
            losses["l_pix"] = self.cri_pix(output, gt)
        if self.cri_perceptual:
            perceptual, style = self.cri_perceptual(output, gt)
            losses.update({"l_percep": perceptual, "l_style": style})
        return {name: loss for name, loss in losses.items() if loss is not None}

    @torch.no_grad()
    def test(self) -> None:
        network = getattr(self, "net_g_ema", self.net_g)
        network.eval()
        try:
            self.output = self.evaluate(network)
        except ValueError as error:  # an image too small for the network's padding, a kernel of another size, ...
            raise UserError(f"{self.path}: {error}") from error
        if self.is_train and network is self.net_g:
            network.train()

    def evaluate(self, network: torch.nn.Module) -> Tensor:
        """The restoration of lq, in tiles, averaged over flips and made consistent with lq if val says so."""
        val = self.opt.get("val") or {}
        kernel = self.kernel if takes_kernel(network) else None

        def run(lq: Tensor, kernel: Tensor | None = None) -> Tensor:
            if not val.get("tile"):
                return self.restore(network, lq, kernel)
            overlap = TILE_OVERLAP if val.get("tile_overlap") is None else val["tile_overlap"]
            return restore_tiled(
                lambda patch: self.restore(network, patch, kernel), lq, self.scale, val["tile"], overlap
            )

        restored = restore_x8(run, self.lq, kernel) if val.get("x8") else run(self.lq, kernel)
        return self.consistency(restored, self.lq) if self.consistency else restored

    def restore(self, network: torch.nn.Module, lq: Tensor, kernel: Tensor | None) -> Tensor:
        return call_network(network, lq, kernel, self.scale, self.window)

    def model_ema(self, decay: float = 0.999) -> None:
        super().model_ema(decay)
        buffers = dict(self.get_bare_model(self.net_g).named_buffers())
        for name, buffer in self.net_g_ema.named_buffers():
            buffer.copy_(buffers[name])
