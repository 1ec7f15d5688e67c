"""Option files: reading them, their schema, and the shipped files."""
