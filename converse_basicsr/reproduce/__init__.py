"""Reproduction of the paper's numbers with its published weights."""
