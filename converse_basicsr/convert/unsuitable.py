"""Why a layer stays as it is."""


class Unsuitable(Exception):
    """Raised for a layer that Converse2D cannot replace; its message is the reason in the report."""
