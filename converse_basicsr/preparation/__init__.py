"""Preparation of data sets for BasicSR from folders of images, and of the demo data."""

from ..compat import load_basicsr

load_basicsr()
