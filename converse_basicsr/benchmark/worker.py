"""``python -m converse_basicsr.benchmark.worker LOCK ARGUMENTS``: run basicsr and hold a lock until it ends.

So a training whose benchmark was killed still holds it, and the next benchmark waits.
"""

import sys

from filelock import FileLock

from ..cli import main

if __name__ == "__main__":
    with FileLock(sys.argv[1]):
        sys.exit(main(sys.argv[2:]))
