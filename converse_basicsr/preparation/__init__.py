"""Making data sets that BasicSR's classes read: from folders of images, and the embedded demonstration data."""

from ..compat import load_basicsr

load_basicsr()
