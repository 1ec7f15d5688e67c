"""``python -m converse_basicsr.benchmark.worker LOCK ARGUMENTS``: run basicsr, and hold a lock until it ends.

A training whose benchmark was killed still holds the lock, so the next benchmark waits for it.
"""

import sys

from filelock import FileLock

from ..cli import main

if __name__ == "__main__":
    with FileLock(sys.argv[1]):
        sys.exit(main(sys.argv[2:]))
