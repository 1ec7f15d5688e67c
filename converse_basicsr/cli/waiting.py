"""How long a thread of torch waits actively for the others, on a machine that is shared.

By default libgomp's threads spin for a long time. If another process keeps a core busy, each step of a training then
waits for a thread that does not run: 3 to 4 times as long. The command shortens the spinning before torch is loaded;
importing the package does not (docs/speed.md has the measurements).
"""

import os
import sys

SPINS = "4000"
VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def shorten_spinning() -> None:
    """Set GOMP_SPINCOUNT for this process and those it starts, unless the user has decided, or torch is loaded."""
    if "torch" not in sys.modules and not any(name in os.environ for name in VARIABLES):
        os.environ["GOMP_SPINCOUNT"] = SPINS


def describe_waiting() -> str:
    """The setting in effect, for `doctor`."""
    named = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    return ", ".join(named) if named else "libgomp's default"
