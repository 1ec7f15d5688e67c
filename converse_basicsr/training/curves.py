"""Curves of losses and metrics for tensorboard, and through it for wandb; the tags are those of BasicSR."""

import os

from basicsr.utils.logger import init_wandb_logger

from ..errors import UserError


class Curves:
    """Writes to tb_logger/NAME if logger: use_tb_logger is set.

    Args:
        opt: the finished options.
        start: the iteration that the training continues from; later points of an earlier run are hidden.
        write: False for all processes but the first.
    """

    def __init__(self, opt: dict, start: int, write: bool):
        self.print_freq = opt["logger"]["print_freq"]
        self.writer = None
        if not (write and opt["logger"].get("use_tb_logger")):
            return
        if (opt["logger"].get("wandb") or {}).get("project"):  # before tensorboard, which it follows
            init_wandb_logger(opt)
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError(f"logger:use_tb_logger: needs tensorboard ({error}); write false") from error
        folder = os.path.join(opt["root_path"], "tb_logger", opt["name"])
        self.writer = SummaryWriter(folder, purge_step=start + 1 if start else None)

    def trained(self, iteration: int, losses: dict[str, float]) -> None:
        if self.writer and iteration % self.print_freq == 0:
            for name, value in losses.items():
                self.writer.add_scalar(f"losses/{name}" if name.startswith("l_") else name, value, iteration)

    def validated(self, iteration: int, dataset: str, metrics: dict[str, float]) -> None:
        if self.writer:
            for name, value in metrics.items():
                self.writer.add_scalar(f"metrics/{dataset}/{name}", value, iteration)

    def close(self) -> None:
        if self.writer:
            self.writer.close()
