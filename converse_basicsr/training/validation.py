"""Validation: every image of a set restored and measured, shared between the processes, with exact means."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm import tqdm

from basicsr.models.sr_model import SRModel
from basicsr.models.video_base_model import VideoBaseModel
from basicsr.utils import imwrite, tensor2img

from ..data.reading import reading
from ..errors import UserError
from ..evaluation.figure import MOST_ROWS
from ..evaluation.measure import Images, Row, score, upsample
from .processes import Processes


def validate(
    model: Any,
    dataset: Dataset,
    opt: dict,
    processes: Processes,
    save_as: Callable[[str], Path] | None = None,
    with_baseline: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> list[Row]:
    """Restore and measure a validation set with an SRModel or a subclass.

    Args:
        model: a model of BasicSR; its EMA network is used, if it has one.
        dataset: a validation set; the processes take turns with its images.
        opt: the finished options.
        processes: the processes of the run; all of them must call this.
        save_as: gives the path under which to save the restored image of this name.
        with_baseline: also measure bicubic upsampling, and keep the images of the first rows for a figure.
        stopped: whether to end early; some images are then missing in the result.

    Returns:
        On every process, one row for each image in the order of the set.

    Raises:
        UserError: an image cannot be read, restored or measured; names it.
    """
    name = dataset.opt["name"]
    indices = range(processes.rank, len(dataset), processes.world_size)
    rows: list[tuple[int, Row]] = []
    show = processes.is_first and (opt["val"] or {}).get("pbar", True)
    training = model.is_train
    model.is_train = False  # else RealESRNetModel and RealESRGANModel would degrade the image
    trained = model.net_g
    if processes.distributed:  # a DistributedDataParallel synchronises in forward; the shares may differ by an image
        model.net_g = model.get_bare_model(trained)
        for label in ("net_g", "net_g_ema"):
            if hasattr(model, label):
                processes.share_buffers(getattr(model, label))
    try:
        for index, sample in zip(
            tqdm(indices, f"validation {name}", leave=False, unit="image", disable=None if show else True),
            DataLoader(Subset(_Named(dataset, name), indices)),
            strict=True,
        ):
            if stopped():
                break
            row = _restore(model, sample, name, opt, save_as, with_baseline)
            rows.append((index, row if index < MOST_ROWS else replace(row, images=None)))
    finally:
        model.is_train, model.net_g = training, trained
        if training:
            model.net_g.train()
        for attribute in ("lq", "gt", "output"):  # of the last image; it may be large
            model.__dict__.pop(attribute, None)
    everything = [row for part in processes.gather(rows) for row in part]
    return [row for _, row in sorted(everything, key=lambda pair: pair[0])]


def measures_itself(model: Any) -> bool:
    """Whether the model has a validation of its own, as BasicSR's video models have."""
    return isinstance(model, VideoBaseModel) or not isinstance(model, SRModel)


def own_results(model: Any, metrics: Iterable[str]) -> dict[str, float]:
    """The results after a validation of its own, by metric; {} if the model measures nothing.

    Video models have those of each folder, (frames, metrics). The folders' means are averaged, as in BasicSR's log.
    """
    results = getattr(model, "metric_results", {})
    if not all(isinstance(frames, Tensor) for frames in results.values()):
        return dict(results)
    of_folders = [frames.mean(0).tolist() for frames in results.values()]
    return dict(zip(metrics, np.mean(of_folders, 0).tolist(), strict=True)) if of_folders else {}


def means(rows: list[Row]) -> dict[str, float]:
    """The mean of every metric over the images."""
    names = rows[0].restored_metrics if rows else {}
    return {name: float(np.mean([row.restored_metrics[name] for row in rows])) for name in names}


class _Named(Dataset):
    """A data set whose errors name the set and the file."""

    def __init__(self, dataset: Dataset, name: str):
        self.dataset, self.name = dataset, name

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        with reading(self.name, self.dataset, index):
            return self.dataset[index]


def _restore(model: Any, sample: dict, where: str, opt: dict, save_as: Callable | None, with_baseline: bool) -> Row:
    name = Path(sample["lq_path"][0]).stem
    model.feed_data(sample)
    model.test()
    visuals = model.get_current_visuals()
    restored, lq = tensor2img([visuals["result"]]), tensor2img([visuals["lq"]])
    if save_as:
        path = save_as(name)
        try:
            imwrite(restored, str(path))
        except OSError as error:  # BasicSR's has no reason
            raise UserError(f"{path}: cannot be written; is the disk full?") from error
    metrics = (opt["val"] or {}).get("metrics") or {}
    if "gt" not in sample:
        return Row(name, {}, {}, None)
    gt = tensor2img([visuals["gt"]])
    try:
        measured = score(restored, gt, metrics)
        if not with_baseline:
            return Row(name, {}, measured, None)
        enlarged = upsample(lq, opt.get("scale") or 1)
        return Row(name, score(enlarged, gt, metrics), measured, Images(lq, enlarged, restored, gt))
    except Exception as error:  # a metric may raise any exception over a bad image
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"{where}: {name} cannot be measured: {reason}") from error
