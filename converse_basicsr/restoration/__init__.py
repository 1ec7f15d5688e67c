"""Restoring pictures: from Python (``restore``, ``deconvolve``) and for the command ``basicsr restore``. No BasicSR."""
