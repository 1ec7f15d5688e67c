"""Patches that let BasicSR 1.4.2 run with current Python, torch and torchvision; each is applied only if needed.

``load_basicsr()`` applies them before and after importing BasicSR; ``basicsr doctor`` lists them. Only this file
changes other packages.
"""

import importlib.util
import multiprocessing
import os
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import UserError

NEWEST_PYTHON = (3, 12)  # that BasicSR builds on


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
    if importlib.util.find_spec("basicsr") is None:
        version = sys.version_info[:2]
        fix = (
            "run bash scripts/setup.sh, or pip install --no-build-isolation basicsr (after torch, numpy and cython)"
            if version <= NEWEST_PYTHON
            else f"release 1.4.2 does not build on Python {version[0]}.{version[1]}; use Python 3.10, 3.11 or 3.12"
        )
        raise UserError(f"BasicSR is not installed: {fix}")
    for patch in BEFORE_IMPORT:
        _apply(patch)
    import basicsr  # noqa: F401

    for patch in AFTER_IMPORT:
        _apply(patch)


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


BEFORE_IMPORT = (
    Patch(
        "torchvision_ops",
        "torchvision >= 0.15",
        "a CUDA build of torchvision cannot load its operators with a CPU build of torch; declares nms and qnms",
        _torchvision_ops_missing,
        _define_torchvision_ops,
    ),
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


def _options_without_cuda() -> None:
    def without_cuda(opt):
        for dataset in opt["datasets"].values():
            dataset["pin_memory"] = False
            if dataset.get("prefetch_mode") == "cuda":
                dataset["prefetch_mode"] = None

    _after_parse_options(without_cuda)


def _seed_as_forced() -> None:
    from basicsr.utils import set_random_seed

    _after_parse_options(lambda opt: set_random_seed(opt["manual_seed"] + opt["rank"]))


def _after_parse_options(adapt: Callable[[dict], None]) -> None:
    """Let basicsr.train and basicsr.test call adapt(opt) after they have parsed the options."""
    import basicsr.test
    import basicsr.train

    for module in (basicsr.train, basicsr.test):

        def parse_options(root_path, is_train=True, parse=module.parse_options):
            opt, args = parse(root_path, is_train)
            adapt(opt)
            return opt, args

        module.parse_options = parse_options


def _distributed_without_cuda() -> None:
    import torch
    from torch.nn.parallel import DistributedDataParallel

    import basicsr.utils.options
    from basicsr.models.base_model import BaseModel

    def init_dist(launcher, port=None):
        if launcher == "slurm":
            os.environ.update(
                RANK=os.environ["SLURM_PROCID"],
                WORLD_SIZE=os.environ["SLURM_NTASKS"],
                MASTER_PORT=str(port or os.environ.get("MASTER_PORT", 29500)),
            )
            os.environ.setdefault("MASTER_ADDR", os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1"))
        torch.distributed.init_process_group("gloo")

    def model_to_device(self, net):
        if not self.opt["dist"]:
            return net.to(self.device)
        unused = self.opt.get("find_unused_parameters", False)
        return DistributedDataParallel(net.to(self.device), find_unused_parameters=unused)

    basicsr.utils.options.init_dist = init_dist
    BaseModel.model_to_device = model_to_device


def _resume_anywhere() -> None:
    import basicsr.train
    from basicsr.utils import check_resume

    from .files.checkpoint import latest_state, load_file

    def load_resume_state(opt):
        if opt["auto_resume"]:
            opt["path"]["resume_state"] = latest_state(opt["path"]["training_states"])
        path = opt["path"].get("resume_state")
        if path is None:
            return None
        state = load_file(path)
        check_resume(opt, state["iter"])
        for network in [key for key in opt if key.startswith("network_")]:
            opt["path"][f"param_key_{network.removeprefix('network_')}"] = "params"
        return state

    basicsr.train.load_resume_state = load_resume_state


def _checkpoint_levels() -> None:
    from basicsr.models.base_model import BaseModel
    from basicsr.utils import get_root_logger

    from .files.checkpoint import load_file, select_state_dict

    def load_network(self, net, load_path, strict=True, param_key="params"):
        net = self.get_bare_model(net)
        key, state_dict = select_state_dict(load_file(load_path), param_key)
        get_root_logger().info(f"Loading {type(net).__name__} from {load_path}, {key}.")
        self._print_different_keys_loading(net, state_dict, strict)
        net.load_state_dict(state_dict, strict=strict)

    BaseModel.load_network = load_network


def _atomic_save() -> None:
    from basicsr.models.base_model import BaseModel
    from basicsr.utils.dist_util import master_only

    from .files.checkpoint import save_file

    @master_only
    def save_network(self, net, net_label, current_iter, param_key="params"):
        nets = net if isinstance(net, list) else [net]
        keys = param_key if isinstance(param_key, list) else [param_key]
        levels = {
            key: {name: value.cpu() for name, value in self.get_bare_model(net).state_dict().items()}
            for net, key in zip(nets, keys, strict=True)
        }
        label = "latest" if current_iter == -1 else current_iter
        save_file(levels, os.path.join(self.opt["path"]["models"], f"{net_label}_{label}.pth"))

    @master_only
    def save_training_state(self, epoch, current_iter):
        if current_iter == -1:
            return
        state = {
            "epoch": epoch,
            "iter": current_iter,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
        }
        save_file(state, os.path.join(self.opt["path"]["training_states"], f"{current_iter}.state"))

    BaseModel.save_network = save_network
    BaseModel.save_training_state = save_training_state


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


AFTER_IMPORT = (
    Patch(
        "options_without_cuda",
        "basicsr <= 1.4.2",
        "prefetch_mode: cuda and pin_memory need CUDA; replaced by ~ and false without it",
        _is_basicsr_1_4_without_cuda,
        _options_without_cuda,
    ),
    Patch(
        "seed_as_forced",
        "basicsr <= 1.4.2",
        "--force_yml manual_seed=N is read after seeding; the seed is set again",
        is_basicsr_1_4,
        _seed_as_forced,
    ),
    Patch(
        "distributed_without_cuda",
        "basicsr <= 1.4.2",
        "distributed training assumes CUDA and nccl; uses gloo on a CPU",
        _is_basicsr_1_4_without_cuda,
        _distributed_without_cuda,
    ),
    Patch(
        "resume_anywhere",
        "basicsr <= 1.4.2",
        "resuming needs CUDA and searches another folder than training writes to; both fixed",
        is_basicsr_1_4,
        _resume_anywhere,
    ),
    Patch(
        "checkpoint_levels",
        "basicsr <= 1.4.2",
        "a bare state dict raises KeyError 'params'; accepts params_ema, params, state_dict and bare state dicts",
        is_basicsr_1_4,
        _checkpoint_levels,
    ),
    Patch(
        "atomic_save",
        "basicsr <= 1.4.2",
        "an interrupted save leaves a partial checkpoint, a failed one is ignored; saves atomically, raises on failure",
        is_basicsr_1_4,
        _atomic_save,
    ),
    Patch(
        "lmdb_once_per_process",
        "basicsr <= 1.4.2, lmdb >= 1.0",
        "an LMDB used for training and validation raises lmdb.Error 'already open'; it is opened once per process",
        is_basicsr_1_4,
        _lmdb_once_per_process,
    ),
)
