"""The option file of a training or a test, read and checked before torch and BasicSR are imported."""

from collections.abc import Sequence

from ..errors import UserError, in_file
from .reading import read_options
from .schema import check_schema


def read_run(path: str, force_yml: Sequence[str] = (), is_train: bool | None = None) -> tuple[dict, bool]:
    """The options of a file, whose keys and values are right, and whether they are for training.

    Args:
        path: the option file.
        force_yml: entries of --force_yml.
        is_train: True for training, False for a test; None: what the file is for.

    Raises:
        UserError: the first mistake found; names the file.
    """
    given = read_options(path, force_yml)
    if is_train is None:
        is_train = _is_for_training(given)
    with in_file(path):
        if "models" in given and "network_g" not in given:
            raise UserError(f"this is an option file for a benchmark: basicsr benchmark -opt {path}")
        check_schema(given, is_train)
    return given, is_train


def _is_for_training(given: dict) -> bool:
    datasets = given.get("datasets")
    return given.get("train") is not None or (isinstance(datasets, dict) and datasets.get("train") is not None)
