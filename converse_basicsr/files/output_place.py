"""Where a command may write."""

from pathlib import Path

from ..errors import UserError, plain


def refuse_below_file(option: str, path: Path) -> None:
    """Raise UserError, which names the option, if a part of this path above its last name is a file."""
    above = next(parent for parent in path.parents if parent.exists())
    if not above.is_dir():
        raise UserError(f"{option}: {plain(above)} is not a folder")
