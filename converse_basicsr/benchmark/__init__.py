"""Benchmarks: quality and cost of several networks, trained with one recipe or with given weights."""

from ..compat import load_basicsr

load_basicsr()
