"""Serve a trained model over HTTP: POST /predict, /health, /ready, /info, and a page at /.

    make deploy-endpoint
    make deploy-endpoint ARGS="--model-name penguins --port 8080"
    python -m src.deploy_endpoint --model-path models/iris-v1.skops --host 127.0.0.1 --workers 4

The application is mlmonkey/api.py, the server gunicorn, or granian where asked. The master
process chooses the model, checks its files' bytes and listens; it never imports scikit-learn,
because OpenMP hangs in a child of a process that used it. Each worker loads the model after the
fork, replays its golden rows, answers the example row once, and only then takes requests. SIGTERM
ends it: requests in work are answered.
"""

import errno
import json
import os
import shlex
import socket
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from mlmonkey.errors import UserError
from mlmonkey.monitoring import check_folder
from mlmonkey.store import LoadedModel, ModelId, ModelStore
from src.helpers.choosing import choose, model_options
from src.helpers.commands import make_line
from src.helpers.configuration import Config, script
from src.helpers.gunicorn_server import HEADERS_WITHIN
from src.helpers.os_errors import os_error_line
from src.settings import load_settings, relative

# each has serve(listener, workers, timeout, load, ready)
SERVERS = {"gunicorn": "src.helpers.gunicorn_server", "granian": "src.extras.granian_server"}
USUAL = {80: "a web server", 443: "a web server", 5000: "AirPlay Receiver on macOS",
         8000: "another development server", 8080: "another development server", 8888: "Jupyter"}


@script("deploy_endpoint")
@model_options
@click.option("--host", default="0.0.0.0", help="Address to listen on; 0.0.0.0: all of them.")
@click.option("--port", type=click.IntRange(0, 65535), default=5000, help="0: any free one.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: processor cores]")
@click.option("--server", type=click.Choice(list(SERVERS)), default="gunicorn",
              help="granian is an extra, and quicker: make init EXTRAS=granian")
@click.option("--timeout", type=click.IntRange(1), default=30,
              help="Seconds a client may take to send a request's body, else it gets 408.  "
                   f"(The headers must be there after {HEADERS_WITHIN}, else the line is cut.)")
def main(config: Config) -> None:
    """Answer predictions over HTTP until SIGTERM or Ctrl-C.

    Example: make deploy-endpoint ARGS="--model-name iris --host 127.0.0.1 --port 8080"
    """
    server = import_server(config.server)
    store, identifier = choose(config)
    store.check(identifier)
    listener = listen(config.host, config.port, named_model(config))
    # before scikit-learn is imported: on a busy machine more threads made one row 30 times slower
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    workers = config.workers or cores()
    address = f"http://{shown_host(config.host)}:{listener.getsockname()[1]}"
    folder = monitoring_folder(identifier)
    server.serve(listener, workers, config.timeout,
                 lambda: make_application(store, identifier, folder),
                 lambda: announce(store, identifier, address, workers, config.host))


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


def make_application(store: ModelStore, identifier: ModelId,
                     monitoring: Path | None = None) -> Any:
    """Load the model in this worker, answer the example row once, and return what serves.

    Args:
        monitoring: the folder in which the workers add up what they count.

    Raises:
        UserError: when the model is refused, or can't answer its own example.
    """
    from mlmonkey.api import create_app
    from mlmonkey.schema import example_row
    model = store.load(identifier)
    app = create_app(model, release_of(store, model))
    question = {"features": example_row(model.metadata["schema"])}
    answer = app.test_client().post("/predict", json=question)
    if answer.status_code != 200:
        raise UserError(f"{identifier} does not answer its own example row: {answer.text}")
    app.extensions["drift"].keep(monitoring)
    return app


def release_of(store: ModelStore, model: LoadedModel) -> dict[str, Any]:
    """What each answer says about the model."""
    file = next(each["file"] for each in model.metadata["artifacts"] if each["role"] == "model")
    return {"model_name": model.identifier.name, "model_version": model.identifier.version,
            "model_location": relative(store.models / file),
            "model_metadata_location": relative(store.metadata_path(model.identifier))}


def announce(store: ModelStore, identifier: ModelId, address: str, workers: int,
             host: str) -> None:
    """Say what answers where, a line to try it, and who else can."""
    from mlmonkey.schema import example_row
    metadata = store.read_metadata(identifier)
    row = json.dumps({"features": example_row(metadata["schema"])}, ensure_ascii=False)
    print(f"{identifier} predicts {metadata['target']['name']!r} at {address} "
          f"(workers: {workers}; a page to try it is there too; Ctrl-C ends it)\n"
          f"  curl -s {address}/predict -H 'Content-Type: application/json' -d {shlex.quote(row)}",
          flush=True)
    if host in ("0.0.0.0", "::"):
        print(f"warning: {host} lets everybody who reaches this machine ask the model; for this "
              "machine alone: --host 127.0.0.1", file=sys.stderr, flush=True)


def named_model(config: Config) -> list[str]:
    """The options that named the model, to be typed again; none when there were none."""
    return [word for option in ("model_path", "model_name", "model_version")
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
        return socket.create_server((str(address), port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
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


def cores() -> int:
    """Processors that this process may use; a container's quota counts."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(found or 1, int(quota) // int(period)))
    except (OSError, ValueError):
        return found or 1


if __name__ == "__main__":
    main()
