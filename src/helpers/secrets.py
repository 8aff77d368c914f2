"""What .env.local says is a secret: it must never be written anywhere."""

import re
from contextlib import suppress

from mlmonkey.errors import UserError
from mlmonkey.redact import without_passwords
from src.settings import FOLDERS, read_env


def secret_values() -> list[str]:
    """The values of .env.local; very short ones hide nothing, and folders are no secrets."""
    return [value for name, value in read_env(".env.local").items()
            if len(value) >= 4 and name not in FOLDERS]


def without_secrets(text: str) -> str:
    """The text with `***` for what .env.local says, and for passwords in addresses."""
    with suppress(UserError):  # the text then says that .env.local can't be read
        values = secret_values()
        words = [word for value in values for word in re.split(r"[\s=]+", value) if len(word) >= 8]
        for secret in sorted([*values, *words], key=len, reverse=True):
            text = text.replace(secret, "***")
    return without_passwords(text)
