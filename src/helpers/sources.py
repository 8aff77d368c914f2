"""Tables of databases and storage as immutable copies in data/raw, with their source beside them.

What the copy was made from is written down without user, password and absolute path.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import unquote, urlsplit

from mlmonkey.errors import UserError
from mlmonkey.files import lock, part_beside, sha256_of, sha256_of_text, whole_file, write_json
from mlmonkey.names import usable_name
from mlmonkey.redact import without_passwords
from mlmonkey.sealed import read_json
from src.etl.unpack import import_extra, table_name
from src.helpers.commands import make_line
from src.helpers.configuration import Config
from src.helpers.secrets import without_secrets
from src.settings import load_settings, relative

DATABASES = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}
MEMORY_LIMIT = "1GB"  # of DuckDB
LONGEST = 1 << 24  # bytes of a record


def is_address(text: str) -> bool:
    """Whether a text is an address such as s3://bucket/file, and no path."""
    return re.match("[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def check_address(address: str, option: str = "--data") -> None:
    """Refuse secrets in an address: other users see a command line, and shells keep it.

    Raises:
        UserError: naming where they belong.
    """
    if not is_address(address):
        raise UserError(f"{option} {address} is no address such as s3://bucket/file.csv")
    if urlsplit(address).password is not None:
        raise UserError(f"{option} {without_passwords(address)}: a password doesn't belong on a "
                        "command line; put it into .env.local or the environment, as PGPASSWORD "
                        "or AWS_SECRET_ACCESS_KEY")
    if "?" in address:
        raise UserError(f"{option} {without_passwords(address)}: what follows ? may be a secret; "
                        "leave it out, and set it in .env.local or the environment, or fetch the "
                        "file with another program and give its path")
    if address.startswith("file:"):
        raise UserError(f"{option} takes a file here by its path: {option} "
                        + quote(unquote(urlsplit(address).path)))


def raw_copy_of(config: Config) -> Path:
    """Where the copy of an address goes.

    Raises:
        UserError: for an address with a secret, or without a table; for a place not in data/raw.
    """
    check_address(config.data)
    raw, address = load_settings().raw, urlsplit(config.data)
    if config.table and config.query:
        raise UserError("--table and --query: say one of them")
    if address.scheme in DATABASES:
        if not (config.table or config.query):
            tables = reader(config).tables(config.data)
            raise UserError("which table? --table " + " or --table ".join(map(quote, tables[:20]))
                            + ", or rows by --query" if tables else
                            f"{config.data} has no table that may be read")
        stem = config.table or f"query-{sha256_of_text(config.query)[:8]}"
        name = f"{usable_name(stem)}.parquet"
    else:
        if config.table or config.query:
            raise UserError(f"--table and --query belong to a database at sqlite:// or "
                            f"postgresql://, not to {address.scheme}://; leave them out, or save "
                            "the rows as CSV or Parquet")
        name = Path(address.path).name
        if not name:
            raise UserError(f"{config.data} names no file: --data {config.data.rstrip('/')}"
                            "/FILE.csv")
    target = raw / name if config.dest is None else Path(config.dest)
    if not name or not target.resolve().is_relative_to(raw.resolve()):
        raise UserError(f"the copy goes to data/raw; name a file there: "
                        f"--dest {relative(raw / (name or 'FILE.csv'))}")
    return target


def copy_in(config: Config) -> Path:
    """Copy what an address means to data/raw, whole or not at all.

    Raises:
        UserError: when the source can't be read, or changed since it was copied.
    """
    target = raw_copy_of(config)
    with lock(load_settings().staging / ".lock-raw", "copies into data/raw"), \
            part_beside(target) as part:
        is_database = urlsplit(config.data).scheme in DATABASES
        about = copy_rows(config, part) if is_database else import_extra("storage").download(
            config.data, part)
        sha256 = sha256_of(part)
        if target.exists() and sha256_of(target) == sha256:
            print(f"{relative(target)} already holds this table: used as it is")
            return target
        if target.exists() and not config.accept_changed_raw:
            refuse_change(config, target)
        with whole_file(target) as whole:
            os.replace(part, whole)
        write_json(beside(target), about | {
            "sha256": sha256, "copied": datetime.now(UTC).isoformat(timespec="seconds")})
    print(f"copied {about['source']} to {relative(target)}, which is kept unchanged from now on")
    return target


def beside(raw: Path) -> Path:
    """The file that says where a raw file is from."""
    return raw.with_name(raw.name + ".source.json")


def source_of(raw: Path, sha256: str) -> dict[str, str]:
    """For the profile: where a raw file was copied from, if these bytes were."""
    try:
        about = read_json(beside(raw))
    except (OSError, ValueError, UserError):
        return {}
    return {"source": about["source"]} if about.get("sha256") == sha256 else {}


def refuse_change(config: Config, target: Path) -> None:
    """Say that a source holds something else by now, and what can be done.

    Raises:
        UserError: always.
    """
    words = [word for name in ("data", "table", "query") if config.values[name]
             for word in (f"--{name}", config.values[name])]
    stem = table_name(target)
    free = target.with_name(f"{stem}-{datetime.now(UTC):%Y%m%d}{target.name.removeprefix(stem)}")
    raise UserError(f"{relative(target)} holds another table than its source does now; keep both: "
                    f"{make_line('onboard', *words, '--dest', relative(free))}, or replace it: "
                    "--accept-changed-raw")


def reader(config: Config) -> Any:
    """The file of src/extras that reads a database."""
    return import_extra(DATABASES[urlsplit(config.data).scheme])


def copy_rows(config: Config, target: Path) -> dict[str, Any]:
    """Write the rows of a table or query as Parquet; return what is to be known of the source."""
    with part_beside(load_settings().staging / "rows.csv") as rows:
        source, columns = reader(config).write_rows(config.data, config.table, config.query, rows)
        what = f"--table {quote(config.table)}" if config.table else "--query"
        names = [name for name, _ in columns]
        if twins := [name for name in names if names.count(name) > 1]:
            raise UserError(f"{what} names two columns alike, {twins[0]!r}; give one of them "
                            "another: AS other")
        try:
            count = write_parquet(rows, dict(columns), target)
        except TooLong:
            raise UserError(f"{what} has a row of over {LONGEST >> 20} MB; leave the long column "
                            "out: --query 'SELECT ...'") from None
        if not count:
            raise UserError(f"{what} of {source} has no rows; nothing was copied")
    asked = {name: config.values[name] for name in ("table", "query") if config.values[name]}
    return {"source": source} | {name: without_secrets(text) for name, text in asked.items()}


class TooLong(Exception):
    """A row that is longer than LONGEST."""


@contextmanager
def telling_length() -> Iterator[None]:
    """Tell a row that is too long from other troubles of DuckDB."""
    import duckdb
    try:
        yield
    except duckdb.InvalidInputException as error:
        if "Maximum line size" not in str(error):
            raise
        raise TooLong from None


def write_parquet(rows: Path, types: Mapping[str, str], target: Path) -> int:
    """Typed Parquet of CSV in which text is quoted wherever it might be taken for NULL.

    Args:
        types: of each column, one of DuckDB, or a rule of src/etl/rules.py for text that is a value
            where nothing is lost by it, and stays text elsewhere.

    Returns:
        How many rows there are.

    Raises:
        TooLong: for a row that DuckDB has no room for.
    """
    import duckdb

    from src.etl.sql import identifier, quoted
    from src.etl.detect import clean_names
    from src.etl.rules import BY_NAME
    names = dict(zip(clean_names(list(types)), types.values(), strict=True))
    rules = {name: BY_NAME[kind] for name, kind in names.items() if kind in BY_NAME}
    columns = ", ".join(f"{quoted(name)}: {quoted('VARCHAR' if name in rules else kind)}"
                        for name, kind in names.items())
    table = (f"read_csv({quoted(str(rows))}, auto_detect=false, header=false, delim=',', "
             f"quote='\"', escape='\"', new_line='\\n', nullstr='', allow_quoted_nulls=false, "
             f"strict_mode=true, max_line_size={LONGEST}, buffer_size={2 * LONGEST}, "
             f"columns={{{columns}}})")
    with tempfile.TemporaryDirectory() as folder, telling_length(), \
            duckdb.connect(config={"memory_limit": MEMORY_LIMIT,
                                   "temp_directory": folder}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        fits = ", ".join(f"bool_and({rule.fits_sql(identifier(name))}) "
                         f"FILTER (WHERE {identifier(name)} IS NOT NULL)"
                         for name, rule in rules.items())
        found = connection.execute(f"SELECT {fits} FROM {table}").fetchone() if rules else ()
        values = {name: identifier(name) for name in names} | {
            name: rule.value_sql(identifier(name))
            for (name, rule), fit in zip(rules.items(), found or ()) if fit}
        selected = ", ".join(f"{value} AS {identifier(name)}" for name, value in values.items())
        count = connection.execute(
            f"COPY (SELECT {selected} FROM {table}) TO {quoted(str(target))} "
            "(FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)").fetchone()
        return count[0] if count else 0
