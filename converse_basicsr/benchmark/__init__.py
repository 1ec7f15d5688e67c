"""Benchmarks: quality and cost of several networks, trained with one recipe or with given weights."""
