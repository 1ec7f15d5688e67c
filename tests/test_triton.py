"""When the Triton kernels are taken, that they compile for a GPU without one, and their tests in the interpreter."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from converse_basicsr.ops import dispatch as module
from converse_basicsr.ops.dispatch import triton_kernels

CAPABILITIES = (80, 90)  # Ampere, Hopper


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.delenv("CONVERSE_TRITON", raising=False)
    module._load.cache_clear()
    module._can_compile.cache_clear()
    yield
    module._load.cache_clear()
    module._can_compile.cache_clear()


class OnDevice:
    """As much of a CUDA tensor as the choice looks at."""

    def __init__(self, dtype=torch.float32):
        self.device, self.dtype = torch.device("cuda", 0), dtype


@pytest.fixture
def a_gpu(monkeypatch):
    """A CUDA device, and kernels, that are not there."""
    kernels = type(sys)("kernels")
    kernels.start_driver = lambda: None
    monkeypatch.setattr(module.importlib, "import_module", lambda *_: kernels)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    return kernels


def test_a_cpu_takes_plain_torch():
    assert triton_kernels(torch.zeros(2)) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_single_precision_on_a_gpu_takes_the_kernels_unless_told_otherwise(a_gpu, monkeypatch, dtype):
    assert triton_kernels(OnDevice(dtype)) is a_gpu
    monkeypatch.setenv("CONVERSE_TRITON", "0")
    assert triton_kernels(OnDevice(dtype)) is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_double_precision_on_a_gpu_takes_plain_torch(a_gpu, dtype):
    assert triton_kernels(OnDevice(dtype)) is None


def test_an_old_gpu_takes_plain_torch(a_gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    assert triton_kernels(OnDevice()) is None


def test_without_triton_a_gpu_takes_plain_torch(a_gpu, monkeypatch):
    def absent(*_):
        raise ImportError("No module named 'triton'")

    monkeypatch.setattr(module.importlib, "import_module", absent)
    assert triton_kernels(OnDevice()) is None


def test_a_gpu_that_triton_cannot_drive_takes_plain_torch_and_says_so_once(a_gpu, recwarn):
    def fail():
        raise RuntimeError("Failed to find C compiler")

    a_gpu.start_driver = fail
    assert triton_kernels(OnDevice()) is None and triton_kernels(OnDevice()) is None
    assert [str(w.message) for w in recwarn] == [
        "Triton does not work here, plain torch operations are used: Failed to find C compiler"
    ]


@pytest.fixture
def calls(monkeypatch):
    """What would be launched: kernel, tensors and options of every call."""
    pytest.importorskip("triton", reason="Triton is not installed")
    found = []

    def record(kernel, programs, *tensors, **options):
        found.append((kernel, tensors, options))

    for name in ("inverse", "packing", "products"):
        part = importlib.import_module(f"converse_basicsr.ops.triton_kernels.{name}")
        monkeypatch.setattr(part, "launch", record)
    return found


def compile_for(capability, kernel, tensors, options) -> str:
    """The kernel's PTX for a CUDA device of that capability, as for such arguments."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    constants = {name: value for name, value in options.items() if name.isupper()}
    signature = dict.fromkeys(kernel.arg_names[: len(tensors)], "*fp32")
    signature |= {name: "constexpr" if name.isupper() else "i32" for name in kernel.arg_names[len(tensors) :]}
    assert set(signature) - set(kernel.arg_names[: len(tensors)]) == set(options)
    source = ASTSource(kernel, signature, {(kernel.arg_names.index(name),): constants[name] for name in constants})
    return compile(source, target=GPUTarget("cuda", capability, 32)).asm["ptx"]


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_kernel_compiles_for_a_gpu(calls, capability):
    from converse_basicsr.ops import triton_kernels as kernels
    from converse_basicsr.ops.padding import Margins

    y, bank, lam = torch.zeros(2, 3, 6, 7), torch.zeros(1, 3, 2, 6, 7), torch.ones(1, 3, 1, 1)
    spectrum, filters = torch.zeros(2, 3, 1, 6, 7).cfloat(), torch.zeros(1, 3, 9, 6, 7).cfloat()
    kernels.multiply(spectrum, filters)
    kernels.multiply_gradients(spectrum * filters, spectrum, filters, (True, True))
    kernels.pack(y, (8, 9), Margins(1, 1, 1, 1), "circular", True)
    kernels.pack(y, (8, 9), Margins(1, 1, 1, 1), "reflect", False)
    kernels.unpack(spectrum, Margins(1, 1, 1, 1), True)
    filters = kernels.inverse_filter(bank, lam, lam)
    kernels.inverse_filter_gradients(filters, bank, lam, lam)
    assert len(calls) == 7
    for kernel, tensors, options in calls:
        assert f".entry {kernel.fn.__name__}" in compile_for(capability, kernel, tensors, options)


INTERPRETED = Path(__file__).with_name("triton_interpreted.py")


@pytest.mark.parametrize("name", re.findall(r"^def (test_\w+)", INTERPRETED.read_text(), re.MULTILINE))
def test_in_tritons_interpreter(name):
    """A process of its own, since Triton chooses between compiler and interpreter when it is imported."""
    pytest.importorskip("triton", reason="Triton is not installed")
    options = ["-q", "--noconftest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, f"{INTERPRETED}::{name}"]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    result = subprocess.run(command, cwd=INTERPRETED.parent, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert "skipped" not in result.stdout
