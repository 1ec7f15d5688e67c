"""Weights: reading a file, finding out which network it is for, building that; downloads and other formats."""
