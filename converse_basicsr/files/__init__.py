"""Reading and writing files: image folders, checkpoints, journals. Nothing is left half-written."""
