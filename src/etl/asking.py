"""Two readings that are equally good are put to the user."""

from collections.abc import Callable, Sequence

from mlmonkey.errors import UserError


class Ambiguous(UserError):
    """What can be read in two ways, and the option whose words choose one."""

    def __init__(self, what: str, option: str, words: Sequence[str]) -> None:
        self.what, self.choices = what, [(f"--{option}", word) for word in words]
        super().__init__(self.with_commands(" ".join))

    def with_commands(self, command: Callable[[Sequence[str]], str]) -> str:
        """What is to be decided, and what to type for each reading."""
        return f"{self.what}; say which: {' or '.join(map(command, self.choices))}"
