"""Blur kernels: from files and by formula, and fitted to the kernel size of a network."""

FORMS = "FILE.npy, FILE.mat, FILE.png, gaussian:SIGMA[,SIGMA2,ANGLE] or motion:LENGTH,ANGLE"  # what a user may give
