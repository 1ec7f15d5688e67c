"""A trial: the first iterations and validation images of a run, and what the whole run will cost. It writes nothing."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from basicsr.archs import vgg_arch
from basicsr.data import build_dataset
from basicsr.models import build_model

from ..checks import check_run
from ..errors import UserError, in_file
from .costs import Cost, Rate, memory_line, state_size
from .finished_options import finish_options
from .finite import not_finite, skipped_step
from .introduction import facts
from .iteration import explaining, files_in, listed_files, train_iteration
from .processes import Processes
from .run import logged
from .seeds import seed_generators
from .training_data import TrainingData
from .validation import means, measures_itself, validate

ITERATIONS = 5  # that are timed, at least
ENOUGH = 2.0  # seconds of timed iterations, if they are at least ITERATIONS
LONGEST = 10.0  # seconds after which no further iteration is timed
SHOWN = 8  # validation sets

Lines = Iterator[tuple[str, str]]  # name and value of each finding, as soon as it is known


def try_training(given: dict, root: str, file: str = "") -> Lines:
    """Check the options, run a few iterations and validate one image of each set as ``basicsr train`` would.

    Args:
        given: the options as read from the file.
        root: the folder that would hold experiments/.
        file: the option file, which messages about its options name; '' if there is none.

    Raises:
        UserError: wrong input, a value is not finite, or memory is too small.
    """
    _check_root(Path(root))
    with in_file(file):
        check_run(given, is_train=True)
    yield "options", "no mistake found in options and data"
    opt = finish_options(given, root, True)
    train = opt["train"]
    train.update({key: 0 for key in ("net_d_init_iters",) if train.get(key)})  # else network_g would not be trained
    left_out = _leave_out_downloads(train)
    with _prepared(opt) as where:
        data = TrainingData(opt, Processes())
        sections = [section for phase, section in opt["datasets"].items() if phase.startswith("val")]
        sets = [build_dataset(section) for section in sections if opt.get("val") is not None]
        model = build_model(opt)
        yield from facts(opt, model, data)
        rate = yield from _iterate(model, data, opt, where)
        size, saving = state_size(model, opt)
        seconds = yield from _validate(model, sets, opt, where)
        yield memory_line(opt)
        yield from Cost(opt, rate, seconds, size, saving).lines(Path(root))
        if left_out:
            yield "note", left_out


def try_test(given: dict, root: str, file: str = "") -> Lines:
    """Check the options and restore one image of each set as ``basicsr test`` would. Arguments: see try_training."""
    _check_root(Path(root))
    with in_file(file):
        check_run(given, is_train=False)
    yield "options", "no mistake found in options and data"
    opt = finish_options(given, root, False)
    with _prepared(opt) as where:
        sets = [build_dataset(section) for _, section in sorted(opt["datasets"].items())]
        model = build_model(opt)
        yield from facts(opt, model, None)
        seconds = yield from _validate(model, sets, opt, where)
        yield memory_line(opt)
        yield from Cost.of_test(opt, seconds).lines(Path(root))


def _check_root(root: Path) -> None:
    if not root.is_dir():
        raise UserError(f"--root: no such folder: {root}")
    if not os.access(root, os.W_OK):
        raise UserError(f"--root: {root} cannot be written; choose another folder")


@contextmanager
def _prepared(opt: dict) -> Iterator[list[str]]:
    """What training and testing set up before they build anything; the list names what is running, for errors."""
    where = ["the first iteration"]
    torch.backends.cudnn.benchmark = True
    seed_generators(opt["manual_seed"])
    if opt.get("val"):
        opt["val"]["pbar"] = False
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with logged(None), explaining(opt["name"], lambda: where[-1]):
        yield where


def _iterate(model: Any, data: TrainingData, opt: dict, where: list[str]) -> Iterator[tuple[str, str]]:
    """Train for a few seconds and return the rate, without the first iteration, which takes longer."""
    workers = data.section["num_worker_per_gpu"]
    needed = max(ITERATIONS, 2 * workers, opt["train"].get("net_d_iters") or 1)  # workers load 2 batches in advance
    durations, waits = [], []
    waiting = time.perf_counter()
    for iteration, batch in enumerate(data.batches(0, opt["train"]["total_iter"]), start=1):
        where.append(f"iteration {iteration}")
        begin = time.perf_counter()
        losses = train_iteration(model, batch, opt, iteration)
        found = not_finite(losses, model.optimizers)
        if found:
            raise UserError(f"{found} at iteration {iteration}, with the files {listed_files(files_in(batch))}; check "
                            "them, or lower train:optim_g:lr")  # fmt: skip
        end = time.perf_counter()
        waits.append(begin - waiting)
        durations.append(end - waiting)
        if iteration == 1:
            numbers = ", ".join(f"{name} {loss:.4e}" for name, loss in losses.items())
            finite = "losses, gradients and parameters are finite"
            yield "iteration 1", f"{numbers}; {'fp16: the step is skipped' if skipped_step(model) else finite}"
        timed = sum(durations[1:])
        if timed > LONGEST or (timed > ENOUGH and iteration > needed):
            break
        waiting = time.perf_counter()
    rate = Rate.of(durations, waits)
    yield "rate", f"{rate.seconds:.3f} s per iteration ({rate.waited:.3f} for data), the mean of {rate.count:,}"
    return rate


def _validate(model: Any, sets: list[Dataset], opt: dict, where: list[str]) -> Iterator[tuple[str, str]]:
    """Restore and measure the first image of each set; return the estimated seconds for all images of all sets."""
    if measures_itself(model):
        if sets:
            yield "validation", f"{opt['model_type']} validates by its own code, which is not tried"
        return 0.0
    total = 0.0
    for number, dataset in enumerate(sets):
        name = dataset.opt["name"]
        where.append(f"validation of {name}")
        for _ in range(2):  # the first time is longer
            begin = time.perf_counter()
            row = validate(model, _First(dataset), opt, Processes())
            seconds = time.perf_counter() - begin
            if seconds > LONGEST:
                break
        total += seconds * len(dataset)
        measured = "".join(f", {metric} {value:.4f}" for metric, value in means(row).items())
        if number < SHOWN:
            yield "validation", f"{name}: {seconds:.3f} s for {row[0].name}, 1 of {len(dataset):,} images{measured}"
    if len(sets) > SHOWN:
        yield "validation", f"{len(sets) - SHOWN} more sets"
    return total


class _First(Dataset):
    """The first sample of a data set."""

    def __init__(self, dataset: Dataset):
        self.dataset, self.opt, self.paths = dataset, dataset.opt, getattr(dataset, "paths", None)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict:
        return self.dataset[index]


def _leave_out_downloads(train: dict) -> str | None:
    """Take out the perceptual loss if it would download weights; return a note that says so."""
    section = train.get("perceptual_opt")
    if not section or os.path.exists(vgg_arch.VGG_PRETRAIN_PATH):
        return None
    from torchvision.models import get_model_weights

    weights = get_model_weights(section.get("vgg_type", "vgg19")).IMAGENET1K_V1
    file = Path(torch.hub.get_dir(), "checkpoints", os.path.basename(weights.url))
    if file.is_file():
        return None
    train["perceptual_opt"] = None
    train["pixel_opt"] = train.get("pixel_opt") or {"type": "L1Loss"}  # a model needs a loss
    return f"perceptual_opt is left out of these numbers: training would download its weights, {file.name}"
