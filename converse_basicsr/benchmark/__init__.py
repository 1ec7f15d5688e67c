"""Several networks trained with one recipe: quality against cost."""
