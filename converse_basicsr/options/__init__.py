"""Option files: reading them, the schema that they follow, and the files that are shipped."""
