"""What somebody else can mend: a user's mistake, and what is wrong with a request."""

from typing import Any


class UserError(Exception):
    """A mistake in the user's words or files; the scripts print it as one line and exit with 2.

    The text names the value, the file and the next command to type.
    """


class Problem(Exception):
    """What is wrong with a request, and the status that says so; `more` goes into the answer."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more
