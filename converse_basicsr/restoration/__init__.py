"""Restores pictures: from Python (``restore``, ``deconvolve``) and for ``basicsr restore``. Needs no BasicSR."""
