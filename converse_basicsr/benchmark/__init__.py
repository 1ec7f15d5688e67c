"""Networks trained with one recipe, and their quality against their cost."""

from ..compat import load_basicsr

load_basicsr()
