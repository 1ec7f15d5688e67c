"""What a user can mend."""


class UserError(ValueError):
    """Wrong input; the message names the file, key or value, and what would be right. One line, exit code 2."""
