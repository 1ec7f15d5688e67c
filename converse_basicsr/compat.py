"""Patches that let BasicSR 1.4.2 run with current Python, torch and torchvision; each is applied only if needed.

``load_basicsr()`` applies them before and after importing BasicSR; ``basicsr doctor`` lists them. Only this file
changes other packages.
"""

import importlib.util
import multiprocessing
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import UserError
from .extras import require_basicsr


@dataclass(frozen=True)
class Patch:
    """One patch: the release it is for, the reason, whether it is needed, and how it is applied."""

    name: str
    release: str
    reason: str
    needed: Callable[[], bool]
    apply: Callable[[], None]


_active: dict[str, bool] = {}  # patch name: whether it was needed; only patches already checked
_keep_alive: list[object] = []  # definitions in torch.library live as long as their Library object


def load_basicsr() -> None:
    """Import BasicSR with the patches it needs. Safe to call again, and after BasicSR was imported by others.

    Raises:
        UserError: BasicSR is not installed.
    """
    require_basicsr()
    for patch in BEFORE_IMPORT:
        _apply(patch)
    import basicsr  # noqa: F401

    for patch in AFTER_IMPORT:
        _apply(patch)


def prepare_torchvision() -> None:
    """Apply the patches that importing torchvision needs; spandrel imports it, with or without BasicSR."""
    _apply(TORCHVISION_OPS)


def status() -> list[tuple[Patch, bool]]:
    """Every patch, and whether it is active (all False before load_basicsr)."""
    return [(patch, _active.get(patch.name, False)) for patch in (*BEFORE_IMPORT, *AFTER_IMPORT)]


def load_in_spawned_worker() -> None:
    """Apply the patches in a spawned data-loader worker, before it unpickles BasicSR's data sets."""
    if multiprocessing.parent_process() is not None:
        load_basicsr()


def _apply(patch: Patch) -> None:
    if patch.name in _active:
        return
    needed = patch.needed()
    if needed:
        patch.apply()
    _active[patch.name] = needed


# --- before BasicSR is imported -------------------------------------------------------------------------------------


def _is_missing(module: str) -> bool:
    return module not in sys.modules and importlib.util.find_spec(module) is None


def _torchvision_ops_missing() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or "torchvision" in sys.modules:
        return False
    import torch

    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(library)
        except OSError:
            return True
    return False


def _define_torchvision_ops() -> None:
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _keep_alive.append(library)


def _functional_tensor_missing() -> bool:
    return _is_missing("torchvision.transforms.functional_tensor")


def _alias_functional_tensor() -> None:
    from torchvision.transforms.functional import rgb_to_grayscale

    module = types.ModuleType("torchvision.transforms.functional_tensor")
    module.rgb_to_grayscale = rgb_to_grayscale
    sys.modules[module.__name__] = module


def _distutils_missing() -> bool:
    return _is_missing("distutils")


def _alias_distutils() -> None:
    from packaging.version import Version

    package, module = types.ModuleType("distutils"), types.ModuleType("distutils.version")
    package.version, module.LooseVersion = module, Version
    sys.modules.update({"distutils": package, "distutils.version": module})


TORCHVISION_OPS = Patch(
    "torchvision_ops",
    "torchvision >= 0.15",
    "a CUDA build of torchvision cannot load its operators with a CPU build of torch; declares nms and qnms",
    _torchvision_ops_missing,
    _define_torchvision_ops,
)
BEFORE_IMPORT = (
    TORCHVISION_OPS,
    Patch(
        "functional_tensor",
        "torchvision >= 0.17",
        "torchvision.transforms.functional_tensor was removed; basicsr.data imports rgb_to_grayscale from it",
        _functional_tensor_missing,
        _alias_functional_tensor,
    ),
    Patch(
        "distutils",
        "Python >= 3.12",
        "distutils was removed; basicsr.archs.arch_util imports LooseVersion from it",
        _distutils_missing,
        _alias_distutils,
    ),
)


# --- after BasicSR is imported --------------------------------------------------------------------------------------


def is_basicsr_1_4() -> bool:
    """Whether the installed BasicSR is a release that these patches are for."""
    from packaging.version import Version

    from basicsr.version import __version__

    return Version(__version__) <= Version("1.4.2")


def _is_basicsr_1_4_without_cuda() -> bool:
    import torch

    return is_basicsr_1_4() and not torch.cuda.is_available()


def _distributed_without_cuda() -> None:
    from torch.nn.parallel import DistributedDataParallel

    from basicsr.models.base_model import BaseModel

    def model_to_device(self, net):
        if not self.opt["dist"]:
            return net.to(self.device)
        unused = self.opt.get("find_unused_parameters", False)
        return DistributedDataParallel(net.to(self.device), find_unused_parameters=unused)

    BaseModel.model_to_device = model_to_device


def _checkpoint_levels() -> None:
    import logging

    from basicsr.models.base_model import BaseModel

    from .files.checkpoint import misfit
    from .weights.reading import state_dict_for

    def load_network(self, net, load_path, strict=True, param_key="params"):
        net = self.get_bare_model(net)
        key, state_dict = state_dict_for(net, load_path, param_key)
        logging.getLogger("converse_basicsr").info(f"Loading {type(net).__name__} from {load_path}, {key}.")
        if found := misfit(net, state_dict, strict):
            raise UserError(f"{load_path} does not fit {type(net).__name__}: {found}")
        self._print_different_keys_loading(net, state_dict, strict)
        net.load_state_dict(state_dict, strict=strict)

    BaseModel.load_network = load_network


def _lmdb_once_per_process() -> None:
    from basicsr.utils.file_client import FileClient, LmdbBackend

    from .files.lmdb_environment import lmdb_environment

    class SharedLmdbBackend(LmdbBackend):
        def __init__(self, db_paths, client_keys="default", **options):
            self.db_paths = [db_paths] if isinstance(db_paths, str) else list(db_paths)
            client_keys = [client_keys] if isinstance(client_keys, str) else client_keys
            self._client = {
                client_key: lmdb_environment(path, **options)
                for client_key, path in zip(client_keys, self.db_paths, strict=True)
            }

    FileClient._backends["lmdb"] = SharedLmdbBackend


def _sorted_folders() -> None:
    from basicsr.data import data_util

    scandir = data_util.scandir

    def sorted_scandir(dir_path, suffix=None, recursive=False, full_path=False):
        return sorted(scandir(dir_path, suffix, recursive, full_path))

    data_util.scandir = sorted_scandir


def _mmengine_files() -> None:
    from basicsr.utils.file_client import FileClient

    from .files.mmengine_backend import MmengineBackend

    FileClient._backends["mmengine"] = MmengineBackend


AFTER_IMPORT = (
    Patch(
        "distributed_without_cuda",
        "basicsr <= 1.4.2",
        "distributed training gives CUDA devices to DistributedDataParallel; without CUDA it gets none",
        _is_basicsr_1_4_without_cuda,
        _distributed_without_cuda,
    ),
    Patch(
        "checkpoint_levels",
        "basicsr <= 1.4.2",
        "a bare state dict raises KeyError 'params'; accepts params_ema, params, state_dict and bare state dicts",
        is_basicsr_1_4,
        _checkpoint_levels,
    ),
    Patch(
        "lmdb_once_per_process",
        "basicsr <= 1.4.2, lmdb >= 1.0",
        "an LMDB used for training and validation raises lmdb.Error 'already open'; it is opened once per process",
        is_basicsr_1_4,
        _lmdb_once_per_process,
    ),
    Patch(
        "sorted_folders",
        "basicsr <= 1.4.2",
        "pairs of folders are in the order of the file system, which a copy of the data does not have; sorts them",
        is_basicsr_1_4,
        _sorted_folders,
    ),
    Patch(
        "mmengine_files",
        "basicsr <= 1.4.2",
        "FileClient has no function that adds a backend; adds mmengine's file backends (io_backend: type: mmengine)",
        is_basicsr_1_4,
        _mmengine_files,
    ),
)
