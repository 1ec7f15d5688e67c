"""The paper's numbers again, from its published weights."""
