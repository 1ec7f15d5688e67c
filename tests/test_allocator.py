"""The allocator setting of the command: it respects the environment and reports what it did."""

import subprocess
import sys

import pytest

from converse_basicsr.cli import allocator


def test_the_environment_comes_first(monkeypatch):
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")
    assert allocator.keep_large_buffers() == "set by the environment: MALLOC_MMAP_THRESHOLD_=65536"


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("musl", "1.2"))
    assert allocator.keep_large_buffers() == "unchanged: not glibc"


@pytest.mark.skipif(allocator.platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_a_reused_buffer_costs_no_page_faults():
    code = (
        "import resource, sys, torch\n"
        "if sys.argv[1] == 'keep':\n"
        "    from converse_basicsr.cli.allocator import keep_large_buffers\n"
        "    assert 'reuses blocks' in keep_large_buffers()\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(10):\n"
        "        torch.ones(16 * 2**20)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "faults(); print(faults())\n"
    )
    counts = {
        mode: int(subprocess.run([sys.executable, "-c", code, mode], capture_output=True, text=True, check=True).stdout)
        for mode in ("keep", "default")
    }
    assert counts["keep"] < counts["default"] / 10
