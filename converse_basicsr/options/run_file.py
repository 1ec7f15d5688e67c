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
    datasets = given.get("datasets") if isinstance(given.get("datasets"), dict) else {}
    signs = given.get("train") is not None, datasets.get("train") is not None  # of a file for training
    if is_train is None:
        is_train = any(signs)
    with in_file(path):
        if "models" in given and "network_g" not in given:
            raise UserError(f"this is an option file for a benchmark: basicsr benchmark -opt {path}")
        if datasets and is_train and not any(signs):
            raise UserError(f"this is an option file for a test: basicsr test -opt {path}")
        if not is_train and all(signs):
            raise UserError(f"this is an option file for training: basicsr train -opt {path}")
        check_schema(given, is_train)
    return given, is_train
