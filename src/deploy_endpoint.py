"""Serve a trained model over HTTP: POST /predict, /health, /ready, /info, and a page at /.

    make deploy-endpoint
    make deploy-endpoint ARGS="--model-name penguins --port 8080"
    python -m src.deploy_endpoint --model-path models/iris-v1.skops --host 127.0.0.1 --workers 4

The application is mlmonkey/api.py, the server gunicorn, or granian where asked. The master
process chooses the models, checks their files' bytes and listens; it never imports scikit-learn,
because OpenMP hangs in a child of a process that used it. Each worker loads the models after the
fork, replays their golden rows, answers their example rows once, and only then takes requests;
src/helpers/deployment.py says how they come to other versions. SIGTERM or Ctrl-C ends it: what
was asked is answered; a second Ctrl-C ends it at once.
"""

import errno
import fcntl
import json
import os
import re
import shlex
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from urllib.parse import quote

import click

from mlmonkey.errors import UserError
from mlmonkey.monitoring import check_folder
from mlmonkey.store import LoadedModel, ModelId, ModelStore
from src.helpers.choosing import choose_several, model_options
from src.helpers.commands import make_line
from src.helpers.configuration import Config, script
from src.helpers.deployment import Deployment, release_of
from src.helpers.gunicorn_server import HEADERS_WITHIN
from src.helpers.os_errors import os_error_line
from src.settings import environment_value, load_settings

# each has serve(listener, workers, timeout, load, ready)
SERVERS = {"gunicorn": "src.helpers.gunicorn_server", "granian": "src.extras.granian_server"}
HELD = "held"  # a file in the folder that the processes share, locked while one of them lives
READ_WITHIN = 30  # seconds in which a client must go on reading its answer, else it is cut off
USUAL = {80: "a web server", 443: "a web server", 5000: "AirPlay Receiver on macOS",
         8000: "another development server", 8080: "another development server", 8888: "Jupyter"}


@script("deploy_endpoint")
@model_options
@click.option("--models", help="Names of several models, as in iris,cars; ?model=cars asks the "
              "second one, the first one answers who names none.")
@click.option("--host", default="0.0.0.0", help="Address to listen on; 0.0.0.0: all of them.")
@click.option("--port", type=click.IntRange(0, 65535), default=5000, help="0: any free one.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: processor cores]")
@click.option("--server", type=click.Choice(list(SERVERS)), default="gunicorn",
              help="granian is an extra, and quicker: make init EXTRAS=granian")
@click.option("--timeout", type=click.IntRange(1), default=30,
              help="Seconds a client may take to send a request's body, else it gets 408.  "
                   f"(The headers must be there after {HEADERS_WITHIN}, else the line is cut.)")
@click.option("--max-bytes", type=click.IntRange(1_000), default=16 * 2**20,
              help="Largest body of a request, which is read into memory whole; more gets 413.")
@click.option("--max-rows", type=click.IntRange(1), default=50_000,
              help="Most rows of a request: about a second of a worker, which answers nobody "
                   "else then; more gets 413.")
def main(config: Config) -> None:
    """Answer predictions over HTTP until SIGTERM or Ctrl-C.

    SIGHUP looks for newer versions of the models; a version that is promoted is taken by itself.
    Those who ask must send `Authorization: Bearer TOKEN` where ENDPOINT_TOKEN is set.

    Example: make deploy-endpoint ARGS="--model-name iris --host 127.0.0.1 --port 8080"
    """
    server = import_server(config.server)
    store, identifiers = choose_several(config)
    for identifier in identifiers:
        store.check(identifier)
    token = read_token()
    listener = listen(config.host, config.port, named_model(config))
    # before scikit-learn is imported: on a busy machine more threads made one row 30 times slower
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    workers = config.workers or cores()
    address = f"http://{shown_host(config.host)}:{listener.getsockname()[1]}"
    monitoring = monitoring_folder(identifiers[0])
    with shared_folder() as folder:
        counts = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", folder / "counts"))
        counts.mkdir(parents=True, exist_ok=True)
        deployment = Deployment(
            store, identifiers, bool(config.model_version or config.model_path), folder,
            lambda models, log: make_application(config, store, models, log, counts, monitoring,
                                                 token))
        server.serve(listener, workers, config.timeout, deployment, lambda: announce(
            store, identifiers, address, workers, config.host, token is not None))


def import_server(name: str) -> Any:
    """The module of a server.

    Raises:
        UserError: when its package is an extra that isn't installed.
    """
    try:
        return import_module(SERVERS[name])
    except ModuleNotFoundError as error:
        raise UserError(f"--server {name} needs {error.name}, which is not here: "
                        f"make init EXTRAS={name}") from None


def monitoring_folder(identifier: ModelId) -> Path | None:
    """Where the workers add up what they count; None, which is said, when they can't."""
    folder = load_settings().monitoring
    try:
        check_folder(folder / f"{identifier}.json")
    except OSError as error:
        print(f"warning: drift is counted in each worker's memory alone: {os_error_line(error)}",
              file=sys.stderr, flush=True)
        return None
    return folder


def make_application(config: Config, store: ModelStore, models: Sequence[LoadedModel], log: Any,
                     counts: Path, monitoring: Path | None, token: str | None) -> Any:
    """What serves in a worker.

    Args:
        counts, monitoring: the folders in which the workers add up what they count for /metrics
            and for /drift.
    """
    from mlmonkey.api import create_app
    from mlmonkey.operations import Operations
    app = create_app(models[0], release_of(store, models[0]), config.max_bytes, config.max_rows)
    endpoint = app.extensions["endpoint"]
    for model in models[1:]:
        endpoint.serve(model, release_of(store, model))
    app.extensions["drift"].keep(monitoring)
    Operations(app, endpoint, log.request, counts, token)
    return app


def read_token() -> str | None:
    """The token that those who ask must send; None when there is none.

    Raises:
        UserError: when no header could hold it.
    """
    token = environment_value("ENDPOINT_TOKEN")
    if token and not re.fullmatch(r"[!-~]{8,}", token):
        raise UserError("ENDPOINT_TOKEN must be 8 letters, digits or signs of ASCII at least, "
                        "without blanks: python3 -c 'import secrets; "
                        "print(secrets.token_urlsafe())' makes one")
    return token


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder, in memory where there is one, for what the workers share; gone in the end.

    One whose processes were killed goes when the next endpoint starts: nobody holds its lock.
    """
    memory, master = Path("/dev/shm"), os.getpid()
    folder = Path(mkdtemp(prefix="endpoint-", dir=memory if os.access(memory, os.W_OK) else None))
    with open(folder / "new", "w") as held:  # by the master and all that it forks
        fcntl.flock(held, fcntl.LOCK_EX)
        (folder / "new").rename(folder / HELD)
        for other in folder.parent.glob(f"endpoint-*/{HELD}"):
            with suppress(OSError), open(other) as file:  # such as that it is another user's
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                rmtree(other.parent)
        try:
            yield folder
        finally:
            if os.getpid() == master:  # not a worker, which leaves this block too
                rmtree(folder, ignore_errors=True)


def announce(store: ModelStore, identifiers: Sequence[ModelId], address: str, workers: int,
             host: str, guarded: bool) -> None:
    """Say what answers where, a line to try it, and who else can."""
    from mlmonkey.schema import example_row
    for identifier in identifiers:
        metadata = store.read_metadata(identifier)
        asked = "" if identifier == identifiers[0] else f"?model={quote(identifier.name)}"
        row = json.dumps({"features": example_row(metadata["schema"])}, ensure_ascii=False)
        token = ' -H "Authorization: Bearer $ENDPOINT_TOKEN"' if guarded else ""
        print(f"{identifier} predicts {metadata['target']['name']!r} at {address} "
              f"(workers: {workers}; a page to try it is there too; Ctrl-C ends it)\n"
              f"  curl -s {shlex.quote(f'{address}/predict{asked}')}{token} "
              f"-H 'Content-Type: application/json' -d {shlex.quote(row)}", flush=True)
    if host in ("0.0.0.0", "::") and not guarded:
        print(f"warning: {host} lets everybody who reaches this machine ask the model; for this "
              "machine alone: --host 127.0.0.1; for those with a token: set ENDPOINT_TOKEN",
              file=sys.stderr, flush=True)


def named_model(config: Config) -> list[str]:
    """The options that named the model, to be typed again; none when there were none."""
    return [word for option in ("model_path", "model_name", "model_version", "models")
            if config.values[option] is not None and config.sources[option] == "flag"
            for word in (f"--{option.replace('_', '-')}", str(config.values[option]))]


def listen(host: str, port: int, model: Sequence[str] = ()) -> socket.socket:
    """A listening socket; `model` are the options that belong into advice to try another port.

    Raises:
        UserError: for an occupied or forbidden port, or an address that isn't this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, (address, *_) = min(found, key=lambda each: each[0] != socket.AF_INET)
        listener = socket.create_server((str(address), port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
    else:
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; each accepted line has it too
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * READ_WITHIN)
        return listener
    if number == errno.EADDRINUSE:
        usual = f" (there usually sits {USUAL[port]})" if port in USUAL else ""
        raise UserError(f"port {port} is occupied{usual}; take a free one: "
                        + make_line("deploy-endpoint", *model, "--port",
                                    str(free_port(str(address), family, port))))
    if number == errno.EACCES:
        raise UserError(f"--port {port} needs rights that you don't have; take one above 1023: "
                        f"--port {free_port(str(address), family, 8079)}")
    raise UserError(f"--host {host[:60]!r} is no address of this machine; all addresses: "
                    "--host 0.0.0.0, this machine alone: --host 127.0.0.1")


def free_port(address: str, family: int, port: int) -> int:
    """The next port that nobody listens on; 0 (any) when there is none near."""
    for candidate in range(port + 1, min(port + 100, 65536)):
        try:
            socket.create_server((address, candidate), family=family).close()
            return candidate
        except OSError:
            continue
    return 0


def shown_host(host: str) -> str:
    """A host as it is written in an address; all addresses are shown as localhost."""
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def cores(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors that this process may use; a container's quota counts, of either version."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with suppress(OSError, ValueError):  # "max": no quota; so is -1 in the older version
            quota, period = " ".join((groups / name).read_text() for name in files).split()
            if int(quota) > 0:
                return max(1, min(found or 1, int(quota) // int(period)))
    return found or 1


if __name__ == "__main__":
    main()
