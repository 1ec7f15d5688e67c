"""Blur kernels: reading files, making shapes, and fitting a kernel to the size that a network takes."""

FORMS = "FILE.npy, FILE.mat, FILE.png, gaussian:SIGMA[,SIGMA2,ANGLE] or motion:LENGTH,ANGLE"  # what a user may give
