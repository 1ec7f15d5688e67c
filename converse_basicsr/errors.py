"""Errors that the user can fix."""


class UserError(ValueError):
    """Wrong input. Its one-line message names the file, key or value, and what would be right. Exit code 2."""


def in_one_line(error: UserError) -> str:
    """The message without the traceback that torch prepends when a data-loader worker raised the error."""
    text = str(error)
    if not text.startswith("Caught UserError in "):
        return text
    return text.strip().splitlines()[-1].partition("UserError: ")[2]
