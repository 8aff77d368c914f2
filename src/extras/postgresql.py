"""`--data postgresql://host/shop`: rows of a PostgreSQL server, streamed by its own COPY.

The session can only read. Password and the rest come from the environment: PGPASSWORD, PGHOST,
PGSSLMODE, a password file.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg

from mlmonkey.errors import UserError
from src.etl.sql import identifier
from src.helpers.configuration import nearest
from src.helpers.progress import bar

T = TypeVar("T")
# types of DuckDB; number is a rule of src/etl/rules.py: what would lose digits stays text
TYPES = {"int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "float4": "FLOAT",
         "float8": "DOUBLE", "numeric": "number", "bool": "BOOLEAN", "date": "DATE",
         "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP WITH TIME ZONE"}
# what is written must not depend on the server's settings
SESSION = {"default_transaction_read_only": "on", "TimeZone": "UTC", "DateStyle": "ISO",
           "client_encoding": "UTF8", "extra_float_digits": "1", "application_name": "onboard"}
WAIT = 30  # seconds for a connection
TABLES = """SELECT n.nspname, c.relname FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname !~ '^pg_'
            AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
            AND has_any_column_privilege(c.oid, 'SELECT') ORDER BY n.nspname <> 'public', 1, 2"""


def tables(address: str) -> list[str]:
    """The names of tables and views, with the schema where that is another than public."""
    return list(dict.fromkeys(name if schema == "public" else f"{schema}.{name}"
                              for schema, name in readable(address)))


def readable(address: str) -> list[tuple[str, str]]:
    """Schema and name of each table and view that may be read; those of public first."""
    async def ask(connection: Any) -> list[tuple[str, str]]:
        return [(str(schema), str(name)) for schema, name in await connection.fetch(TABLES)]
    return session(address, ask)


def write_rows(address: str, table: str | None, query: str | None,
               rows: Path) -> tuple[str, list[tuple[str, str]]]:
    """Write rows as CSV; return the source's name, and name and type of each column.

    Raises:
        UserError: for no such server or table, or a query that the server refuses.
    """
    name = "" if query else sql_name(address, table or "")

    async def write(connection: Any) -> list[tuple[str, str]]:
        text = (query or f"SELECT * FROM {name}").rstrip().rstrip(";")
        prepared = await connection.prepare(text)
        types = [(each.name, TYPES.get(each.type.name, "VARCHAR"))
                 for each in prepared.get_attributes()]
        if not types:
            raise UserError("--query returns no rows; it is to begin with SELECT or WITH")
        with open(rows, "wb") as file, bar(0, unit="B", unit_scale=True) as shown:
            async def keep(piece: bytes) -> None:
                file.write(piece)
                shown.update(len(piece))
            # its last line may be a comment
            await connection.copy_from_query(f"{text}\n", output=keep, format="csv")
        return types
    return plain(address), session(address, write)


def sql_name(address: str, table: str) -> str:
    """A table's name as SQL; public may be said or not.

    Raises:
        UserError: with the nearest name.
    """
    found = {}
    for schema, name in readable(address):
        if schema == "public":
            found[name] = schema, name
        found.setdefault(f"{schema}.{name}", (schema, name))
    if table not in found:
        raise UserError(f"{plain(address)} has no table {table!r} that may be read"
                        f"{nearest(table, tables(address))}")
    return ".".join(map(identifier, found[table]))


def plain(address: str) -> str:
    """The address without who asks."""
    parts = urlsplit(address)
    port = f":{parts.port}" if parts.port else ""
    return f"postgresql://{parts.hostname or ''}{port}{parts.path}"


def session(address: str, work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """Connect, work in one transaction that can't write, and end."""
    async def connected() -> T:
        connection = await asyncpg.connect(address, timeout=WAIT, server_settings=SESSION)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await work(connection)
        finally:
            await connection.close()
    try:
        return asyncio.run(connected())
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        advice = ""
        if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
            advice = "; put PGUSER and PGPASSWORD into .env.local or the environment"
        elif isinstance(error, asyncpg.InvalidCatalogNameError):
            advice = "; an address ends in the name of one: postgresql://HOST/NAME"
        elif isinstance(error, asyncpg.InterfaceError | asyncpg.PostgresConnectionError):
            advice = "; the connection broke off, and nothing was kept: type the command again"
        elif isinstance(error, OSError) and error.filename is None or isinstance(
                error, TimeoutError):
            advice = "; see whether a server is there: host and port, or PGHOST and PGPORT"
        raise UserError(f"{plain(address)}: {str(error) or 'no answer'}{advice}") from None
