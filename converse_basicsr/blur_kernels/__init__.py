"""Blur kernels: from files and by formula, and fitted to the kernel size of a network."""
