"""Weights: reads a file, detects its network and builds it; downloads; other formats."""
