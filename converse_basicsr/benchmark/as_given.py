"""Models that are not trained: what is missing for them, and which file their weights are."""

from ..errors import UserError
from ..weights.catalogue import sha256_of
from ..weights.locating import locate
from .spec import Benchmark, Model


def find_missing(benchmark: Benchmark) -> dict[str, str]:
    """Why models cannot be evaluated here, by name: their file of weights or their package is missing.

    A published name is downloaded if it is not here yet.

    Raises:
        UserError: it is true of all models.
    """
    missing = {}
    for model in benchmark.models:
        try:
            weights_of(model)
            _check_package(model)
        except UserError as error:
            missing[model.name] = f"{error}{f'; it is from {model.source}' if model.source else ''}"
    if len(missing) == len(benchmark.models):
        listed = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        raise UserError(f"{benchmark.file}: nothing to evaluate: {listed}")
    return missing


def weights_of(model: Model) -> dict[str, str] | None:
    """The file of weights and its checksum, or None; UserError if it is missing."""
    if model.weights is None:
        return None
    path = locate(model.weights)
    return {"file": path.name, "sha256": sha256_of(path)}


def _check_package(model: Model) -> None:
    """Raise UserError if the package that computes the model is not installed."""
    from .. import classical
    from ..weights.spandrel_arch import Spandrel

    method = getattr(classical, model.network["type"], None) if not model.is_trained else None
    if model.network["type"] == Spandrel.__name__:
        Spandrel.check_installed()
    elif method is not None and issubclass(method, classical.NumpyMethod):
        method.imported()
