"""Large buffers kept by the C library instead of being given back to the system and faulted in anew each time.

By default glibc maps every block above a threshold (32 MiB at most) afresh, and every page of it costs a fault when it
is first written. Feature maps on a CPU are such blocks. This belongs to a program, not to a library: the command does
it, importing the package does not.
"""

import ctypes
import os
import platform

THRESHOLD = 1 << 30  # bytes; blocks below are kept for reuse
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def keep_large_buffers() -> str:
    """Raise glibc's mmap and trim thresholds for this process; say in words what is in force."""
    named = [f"{name}={os.environ[name]}" for name in _VARIABLES if name in os.environ]
    if named:
        return f"as the environment says: {', '.join(named)}"
    if platform.libc_ver()[0] != "glibc":
        return "left as it is: not glibc"
    mallopt = ctypes.CDLL(None).mallopt
    if mallopt(_M_MMAP_THRESHOLD, THRESHOLD) and mallopt(_M_TRIM_THRESHOLD, THRESHOLD):
        return f"glibc keeps blocks up to {THRESHOLD >> 20} MiB for reuse"
    return "left as it is: mallopt refused"
