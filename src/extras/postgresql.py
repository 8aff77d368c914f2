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

T = TypeVar("T")
# types of DuckDB; number is a rule of src/etl/rules.py: what would lose digits stays text
TYPES = {"int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "float4": "FLOAT",
         "float8": "DOUBLE", "numeric": "number", "bool": "BOOLEAN", "date": "DATE",
         "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP WITH TIME ZONE"}
# what is written must not depend on the server's settings
SESSION = {"default_transaction_read_only": "on", "TimeZone": "UTC", "DateStyle": "ISO",
           "client_encoding": "UTF8", "extra_float_digits": "1", "application_name": "onboard"}
WAIT = 30  # seconds for a connection
TABLES = """SELECT CASE table_schema WHEN 'public' THEN '' ELSE table_schema || '.' END
            || table_name FROM information_schema.tables
            WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"""


def tables(address: str) -> list[str]:
    """The names of tables and views, with the schema where that is another than public."""
    async def ask(connection: Any) -> list[str]:
        return [str(name) for name, in await connection.fetch(TABLES)]
    return session(address, ask)


def write_rows(address: str, table: str | None, query: str | None,
               rows: Path) -> tuple[str, dict[str, str]]:
    """Write rows as CSV; return the source's name and the type of each column.

    Raises:
        UserError: for no such server or table, or a query that the server refuses.
    """
    if table is not None and table not in (known := tables(address)):
        raise UserError(f"{plain(address)} has no table {table!r}{nearest(table, known)}")
    name = ".".join(map(identifier, (table or "").split(".")))

    async def write(connection: Any) -> dict[str, str]:
        text = (query or f"SELECT * FROM {name}").rstrip().rstrip(";")
        prepared = await connection.prepare(text)
        types = {each.name: TYPES.get(each.type.name, "VARCHAR")
                 for each in prepared.get_attributes()}
        if len(types) < len(prepared.get_attributes()):
            raise UserError("--query names two columns alike; give one of them another: AS other")
        if not types:
            raise UserError("--query returns no rows; it is to begin with SELECT or WITH")
        await connection.copy_from_query(text, output=str(rows), format="csv")
        return types
    return plain(address), session(address, write)


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
        if isinstance(error, asyncpg.InvalidPasswordError):
            raise UserError(f"{plain(address)} refuses the password; put it into .env.local or the "
                            "environment: PGPASSWORD") from None
        raise UserError(f"{plain(address)}: {str(error) or 'no answer'}") from None
