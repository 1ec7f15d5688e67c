"""One iteration of a training, as the loop and the trial of ``basicsr check`` run it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import URLError

import torch

from ..errors import UserError
from .seeds import seed_iteration

_SHOWN = 8  # files of a batch that are named in an error


def train_iteration(model: Any, batch: dict, opt: dict, iteration: int, rank: int = 0) -> dict[str, float]:
    """Pass a batch through the model, its losses, backward and optimiser step; return the losses by name."""
    seed_iteration(opt["manual_seed"], iteration, rank)
    model.update_learning_rate(iteration, warmup_iter=opt["train"].get("warmup_iter", -1))
    model.feed_data(batch)
    model.optimize_parameters(iteration)
    return model.get_current_log()


def files_in(batch: dict) -> list[str]:
    """The files of a batch, each once."""
    return list(dict.fromkeys(name for key in ("gt_path", "lq_path") for name in batch.get(key, [])))


def listed_files(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


@contextmanager
def explaining(name: str, where: Callable[[], str]) -> Iterator[None]:
    """Turn errors that the user can fix into one line: too little memory, and files.

    Args:
        name: the run, for a file error that names no file.
        where: says what was running, for example 'iteration 3'.

    Raises:
        UserError: instead of these errors.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise UserError(_too_large("GPU " if torch.cuda.is_available() else "", where())) from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error):
            raise UserError(_too_large("", where())) from error
        if "DataLoader worker" in str(error):
            reason = str(error).splitlines()[0]
            raise UserError(f"datasets:train: {reason}; a lower num_worker_per_gpu needs less memory") from error
        raise
    except URLError as error:
        folder = os.path.join(torch.hub.get_dir(), "checkpoints")
        raise UserError(
            f"train:perceptual_opt: its weights cannot be downloaded ({error.reason}); copy them to {folder}"
        ) from error
    except OSError as error:
        raise UserError(f"{error.filename or name}: {error.strerror or error}") from error


def _too_large(kind: str, where: str) -> str:
    return (
        f"not enough {kind}memory in {where}: lower batch_size_per_gpu or gt_size in datasets:train, raise "
        "train:accum_iter (RestorationModel), or set val:tile if it happened in validation"
    )
