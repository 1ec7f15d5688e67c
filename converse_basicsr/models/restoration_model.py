"""The model type for every network and data set of this plugin."""

import torch
from torch import Tensor

from basicsr.models.sr_model import SRModel
from basicsr.utils.registry import MODEL_REGISTRY

from ..degradations import build_degradation
from ..errors import UserError
from ..inference import TILE_OVERLAP, restore_tiled, restore_x8
from ..inference.calling import call_network, takes_kernel


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
    - EMA copies batch statistics as well as averaging parameters.
    """

    def __init__(self, opt: dict):
        section = opt.get("degradation")
        self.degradation = build_degradation(section, opt.get("scale")) if section else None
        self.scale = opt.get("scale") or 1
        self.window = opt["network_g"].get("window_size", 1)
        self.kernel: Tensor | None = None
        self.path = ""  # of the input, for error messages
        super().__init__(opt)

    def feed_data(self, data: dict) -> None:
        if "lq" not in data:
            with torch.no_grad():
                gt = data["gt"].to(self.device)
                data = {**data, "gt": gt, **self.degradation.degrade_batch(gt, self._seeds(data))}
        super().feed_data(data)
        self.kernel = data["kernel"].to(self.device) if "kernel" in data else None
        self.path = data.get("lq_path", ["the input"])[0]

    def optimize_parameters(self, current_iter: int) -> None:
        self.optimizer_g.zero_grad()
        self.output = self.restore(self.net_g, self.lq, self.kernel)
        losses = self.losses()
        sum(losses.values()).backward()
        self.optimizer_g.step()
        self.log_dict = self.reduce_loss_dict(losses)
        if self.ema_decay > 0:
            self.model_ema(decay=self.ema_decay)

    @staticmethod
    def _seeds(data: dict) -> list[int]:
        """A seed for every sample: of the batch, or random ones in a training script other than this plugin's."""
        seeds = data["sample_seed"] if "sample_seed" in data else torch.randint(2**62, data["gt"].shape[:1])
        return seeds.tolist()

    def losses(self) -> dict[str, Tensor]:
        """The losses of the options, by their names in the log."""
        losses = {}
        if self.cri_pix:
            losses["l_pix"] = self.cri_pix(self.output, self.gt)
        if self.cri_perceptual:
            perceptual, style = self.cri_perceptual(self.output, self.gt)
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
        """The restoration of lq, in tiles and averaged over flips if val says so."""
        val = self.opt.get("val") or {}
        kernel = self.kernel if takes_kernel(network) else None

        def run(lq: Tensor, kernel: Tensor | None = None) -> Tensor:
            if not val.get("tile"):
                return self.restore(network, lq, kernel)
            overlap = val.get("tile_overlap", TILE_OVERLAP)
            return restore_tiled(
                lambda patch: self.restore(network, patch, kernel), lq, self.scale, val["tile"], overlap
            )

        return restore_x8(run, self.lq, kernel) if val.get("x8") else run(self.lq, kernel)

    def restore(self, network: torch.nn.Module, lq: Tensor, kernel: Tensor | None) -> Tensor:
        return call_network(network, lq, kernel, self.scale, self.window)

    def model_ema(self, decay: float = 0.999) -> None:
        super().model_ema(decay)
        buffers = dict(self.get_bare_model(self.net_g).named_buffers())
        for name, buffer in self.net_g_ema.named_buffers():
            buffer.copy_(buffers[name])
