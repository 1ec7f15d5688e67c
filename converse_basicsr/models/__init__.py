"""Models. Importing this package registers them with BasicSR."""

from ..compat import load_basicsr

load_basicsr()

from . import restoration_model  # noqa: E402, F401 (registers)
