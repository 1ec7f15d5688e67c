"""An allocator setting that reuses large buffers instead of returning them to the operating system.

By default glibc maps every block above a threshold (at most 32 MiB) again, and every page costs a fault when it is
first written. Feature maps on a CPU are such blocks. The command changes this setting; importing the package does not.
"""

import ctypes
import os
import platform

THRESHOLD = 1 << 30  # bytes; smaller blocks are reused
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def keep_large_buffers() -> str:
    """Raise glibc's mmap and trim thresholds for this process; return a description of the setting in effect."""
    named = [f"{name}={os.environ[name]}" for name in _VARIABLES if name in os.environ]
    if named:
        return f"set by the environment: {', '.join(named)}"
    if platform.libc_ver()[0] != "glibc":
        return "unchanged: not glibc"
    mallopt = ctypes.CDLL(None).mallopt
    if mallopt(_M_MMAP_THRESHOLD, THRESHOLD) and mallopt(_M_TRIM_THRESHOLD, THRESHOLD):
        return f"glibc reuses blocks up to {THRESHOLD >> 20} MiB"
    return "unchanged: mallopt refused"
