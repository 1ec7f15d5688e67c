"""What a user can mend."""


class UserError(ValueError):
    """Wrong input; the message names the file, key or value, and what would be right. One line, exit code 2."""


def in_one_line(error: UserError) -> str:
    """Its message, without the traceback that torch puts before it when a worker of a data loader raised it."""
    text = str(error)
    if not text.startswith("Caught UserError in "):
        return text
    return text.strip().splitlines()[-1].partition("UserError: ")[2]
