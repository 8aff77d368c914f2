"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A mistake in the user's words or files; the scripts print it as one line and exit with 2.

    The text names the value, the file and the next command to type.
    """
