"""``python -m converse_basicsr``: the same program as ``basicsr``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
