"""Networks trained with one recipe, and their quality against their cost."""
