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

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from mlmonkey.errors import UserError
from mlmonkey.store import LoadedModel, ModelId, ModelStore
from src.helpers.choosing import choose_several, model_options, model_words
from src.helpers.configuration import Config, script
from src.helpers.deployment import Deployment, release_of
from src.helpers.gunicorn_server import HEADERS_WITHIN
from src.helpers.listening import listen, shown_host
from src.helpers.processes import cores, counts_folder, monitoring_folder, shared_folder
from src.settings import environment_value

# each has serve(listener, workers, timeout, load, ready)
SERVERS = {"gunicorn": "src.helpers.gunicorn_server", "granian": "src.extras.granian_server"}


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
    listener = listen(config.host, config.port, model_words(config))
    # before scikit-learn is imported: on a busy machine more threads made one row 30 times slower
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    workers = config.workers or cores()
    address = f"http://{shown_host(config.host)}:{listener.getsockname()[1]}"
    monitoring = monitoring_folder(identifiers[0])
    with shared_folder() as folder:
        counts = counts_folder(folder)
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


if __name__ == "__main__":
    main()
