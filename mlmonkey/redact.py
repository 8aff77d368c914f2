"""What must not be told: passwords in addresses, and cells that a library's words quote."""

import re
import traceback
from collections.abc import Iterator

# user and password of an address, and what follows its ?; a Path has made one slash of the two
PASSWORD = re.compile(r"(\w:/{1,2})\S*@")
QUERY = re.compile(r"(\w:/{1,2}[^\s?]*\?)[^\s'\")]+")
# an address with a password, in code; $, {, < and * stand for one that is not told there
WRITTEN = re.compile(rb"\w://[^\s/:@'\"${<*]*:[^\s/@'\"${<*]+@")
QUOTED = re.compile(r"(?<!\w\w)(['\"]).*\1", re.DOTALL)  # not the sign in: doesn't
# errors that speak of code, columns, files and parameters, never of what a cell holds
HARMLESS = {"UserError", "OSError", "ClickException", "AttributeError", "NameError", "ImportError",
            "SyntaxError", "InvalidParameterError", "BinderException", "CatalogException",
            "ParserException", "IOException", "OutOfMemoryException"}


def without_passwords(text: str) -> str:
    """The text with `***` for who asks in addresses, and for what they ask."""
    return QUERY.sub(r"\1***", PASSWORD.sub(r"\1***@", text))


def without_cells(error: BaseException) -> str:
    """An error's words; of a library's only the first line, and nothing that it quotes."""
    if HARMLESS & {kind.__name__ for kind in type(error).__mro__}:
        return str(error)
    return without_quotes(str(error)).strip().partition("\n")[0]


def without_quotes(text: str) -> str:
    """The text from the first quote to the last as `***`."""
    return QUOTED.sub("'***'", text)


def traceback_without_cells(error: BaseException) -> str:
    """The places that an error came through, and its words without cells."""
    text = "".join(traceback.format_exception(error))
    for each in filter(str, _chain(error)):
        text = text.replace(str(each), without_cells(each))
    return text


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
