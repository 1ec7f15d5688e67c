"""Blur kernels: reading files, making shapes, and fitting a kernel to the size that a network takes."""
